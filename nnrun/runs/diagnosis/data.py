"""Warnings about the data, which are the same for all runs of a data set and its split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb, sqrt
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from nnrun.data.columns.categories import NONE
from nnrun.data.columns.column import Number
from nnrun.data.dataset import Dataset
from nnrun.data.split_rows import Split, SplitData
from nnrun.data.steps import Numbers
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis.inputs import Diagnostic
from nnrun.runs.severity import OF_DATA

_KNOWN: WeakKeyDictionary[Split, list[Diagnostic]] = WeakKeyDictionary()


def about_data(dataset: Dataset, split: Split, described: dict[str, Any]) -> list[Diagnostic]:
    """The warnings about a data set and its split, found once for all runs that share them.

    Args:
        dataset: with the categories of the training rows.
        split: its rows.
        described: both, as a record describes them.
    """
    if split not in _KNOWN:
        found = [*_duplicates(dataset, split, described), *_unseen(described)]
        names = dataset.feature_names or [f"column {at + 1}" for at in range(dataset.shape[0])]
        if len(dataset.shape) == 1 and len(names) <= _MOST_COLUMNS and len(split.train) >= _FEW:
            columns = _Columns(dataset, split, names)
            with np.errstate(all="ignore"):  # of numbers near the largest
                found += [*_leaks(columns), *_identifiers(dataset)]
                found += [*_unlike(columns), *_constant(columns)]
        _KNOWN[split] = sorted(found, key=lambda each: OF_DATA.index(each.kind))
    return _KNOWN[split]


# So many training rows are looked at first, of as many columns at most; with fewer rows, what is
# found may be chance.
_ROWS, _MOST_COLUMNS, _FEW = 20_000, 500, 30
_SHOWN = 3
_DROP = "name it in dataset.columns.drop"


class _Columns:
    """The features as columns of numbers, each with the column of the file that it is of."""

    def __init__(self, dataset: Dataset, split: Split, names: Sequence[str]) -> None:
        self.dataset, self.split, self.names = dataset, split, names
        columns = dataset.layout.columns
        self.sources = [columns.sources.get(name, name) for name in names]
        self.numbers = [
            place
            for column, places in zip(columns, columns.places.values(), strict=True)
            for place in places
            if column.kind == Number.kind
        ] or ([] if columns.every else [*range(len(names))])
        self.codes = columns.codes
        step = -(-len(split.train) // _ROWS)
        self.some = split.train.take(np.arange(0, len(split.train), step))
        self.low, self.high = Numbers(split.train.raw).extremes()


def _values(part: SplitData, place: int) -> Array:
    """One feature of all rows of a part."""
    return np.asarray(part.raw.features(range(place, place + 1)), np.float64)[:, 0]


# A column that gives the target by itself, as one does that is known only after it.

# The correlation of two columns of numbers that are the same but for rounding.
_SAME = 0.9999
# A column is almost a multiple of a target that doubles if their ratio differs by no more.
_RATIO, _DOUBLES = 1.05, 2.0
# Columns that have nothing to do with the classes separate them less often than this.
_CHANCE = 1e-3


def _leaks(columns: _Columns) -> Iterator[Diagnostic]:
    dataset, train, some = columns.dataset, columns.split.train, columns.some
    if dataset.classes:
        rarest = int(np.bincount(train.y, minlength=len(dataset.classes)).min())
        if comb(len(train), min(rarest, _FEW)) < 2 * len(columns.names) / _CHANCE:
            return
    looks = (_separates,) if dataset.classes else (_multiple, _follows, _orders)
    x, target = np.asarray(some.x, np.float64), ", ".join(dataset.target_names) or "the target"
    found: dict[str, str] = {}
    for place, (name, source) in enumerate(zip(columns.names, columns.sources, strict=True)):
        if source in found or place in columns.codes or columns.low[place] == columns.high[place]:
            continue
        for look in looks:
            # All rows are looked at where some say so.
            if look(x[:, place], some.y) and (says := look(_values(train, place), train.y)):
                by = f" alone, by {name}," if name != source else ""
                found[source] = f"{by} {says.format(target=target)}"
                break
    if len(dataset.classes) == 2 and not found:
        blank = [*_blank_in_one_class(columns, x, some.y)]
        if blank and len(some) < len(train):
            blank = [*_blank_in_one_class(columns, np.asarray(train.x, np.float64), train.y)]
        found = dict.fromkeys(blank, " is blank or the same for one class, never for the other,")
    for source, says in [*found.items()][:_SHOWN]:
        text = (
            f"the column {source}{says} in all {len(train):,} training rows: if it is known only "
            f"after the target, {_DROP}"
        )
        yield Diagnostic("leak", text)


def _separates(x: Array, y: Array) -> str:
    """Whether each class has an interval of values of its own."""
    order = np.lexsort((y, x))
    changes = np.flatnonzero(np.diff(y[order]))
    apart = x[order][changes] < x[order][changes + 1]
    separate = len(changes) == len(np.unique(y)) - 1 > 0 and bool(apart.all())
    return "separates the classes" if separate else ""


def _multiple(x: Array, y: Array) -> str:
    """Whether the column is nearly a multiple of the only target, and how nearly."""
    x, y = _with_value(x, y)
    if not (len(x) and (y != 0).all()) or np.abs(y).max() < _DOUBLES * np.abs(y).min():
        return ""
    ratios = x / y
    low, high = float(ratios.min()), float(ratios.max())
    if low * high <= 0 or max(abs(low), abs(high)) > _RATIO * min(abs(low), abs(high)):
        return ""
    factor = f"{np.dot(x, y) / np.dot(y, y):.3g}"
    times = "{target}" if factor == "1" else f"{factor} × {{target}}"
    if high - low <= 1e-9 * abs(high):
        return f"is {times}"
    return f"is almost {times} (ratio {low:.4g} to {high:.4g})"


def _follows(x: Array, y: Array) -> str:
    """Whether the only target is a linear function of the column."""
    return "is {target}, in another unit," if _correlate(*_with_value(x, y)) else ""


def _orders(x: Array, y: Array) -> str:
    """Whether the only target rises or falls with the column, as with its logarithm or square."""
    ranks = [np.unique(values, return_inverse=True)[1] for values in _with_value(x, y)]
    return "has the order of {target}" if _correlate(*ranks) else ""


def _with_value(x: Array, y: Array) -> tuple[Array, Array]:
    """The rows in which the column is not blank, if they are most rows, and the only target."""
    there = np.isfinite(x) & (y.shape[1] == 1)
    there &= there.sum() > max(_FEW, len(x) / 2)
    return x[there], y[there, 0]


def _correlate(x: Array, y: Array) -> bool:
    return len(x) > 0 and np.ptp(x) > 0 < np.ptp(y) and abs(np.corrcoef(x, y)[0, 1]) > _SAME


def _blank_in_one_class(columns: _Columns, x: Array, y: Array) -> Iterator[str]:
    """A column with one value, or blank, in all rows of one of two classes and none of the other.

    Of a date all parts together are compared: each alone may be that of another day.
    """
    for source in dict.fromkeys(columns.sources):
        part = x[:, [name == source for name in columns.sources]]
        for label in np.unique(y):
            first = part[y == label][0]
            same = ((part == first) | (np.isnan(part) & np.isnan(first))).all(axis=1)
            if np.array_equal(same, y == label):
                yield source


# Copies: held-out rows that are training rows too, and rows of the file that are there twice.

# As many are no chance, whatever the number of rows.
_COPIES = 10


def _duplicates(dataset: Dataset, split: Split, described: dict[str, Any]) -> Iterator[Diagnostic]:
    """Copies that may change an accuracy by more than chance does, or that are many.

    Two standard errors of an accuracy on n rows are at most 1 / √n; d copies change it by up to
    d / n. Where few are held out and many there, those of all rows are counted.
    """
    advice = "dataset.copies: drop leaves copies out, and together puts them into one split"
    apart, said = described["duplicates"], False
    for name, copies in apart.items():
        rows = described[f"n_{name}"]
        if copies**2 > rows:
            said = True
            text = (
                f"{copies:,} of {rows:,} {name} rows are training rows too, target included: if "
                f"they are copies and not different cases, the {name} numbers flatter the network; "
                f"{advice}"
            )
            yield Diagnostic("duplicates", text, split=name)
    numbers = (dataset.whole or dataset).equal_rows if any(apart.values()) and not said else None
    if numbers is None:
        return
    every = np.concatenate([part.rows for part in (split.train, *split.held_out.values())])
    copies = len(every) - len(np.unique(numbers[every]))
    if copies**2 > len(every) or copies >= _COPIES:
        text = (
            f"{copies:,} of {len(every):,} rows equal an earlier row, in all columns of the file: "
            f"if they are copies and not different cases, they count twice; {advice}"
        )
        yield Diagnostic("duplicates", text)


# Columns that say nothing about new rows: numbers of rows, and those with a single value.

# The share of equal steps from one number to the next: some rows may have been taken out.
_EVENLY = 0.9


def identifiers(dataset: Dataset) -> list[str]:
    """Columns of whole numbers, all different and evenly rising, as numbers of rows are."""
    columns = (dataset.whole or dataset).columns
    if columns is None or len(columns.every) < 2:
        return []
    x = (dataset.whole or dataset).x
    places = zip(columns, columns.places.values(), strict=True)
    numbers = ((column, place.start) for column, place in places if column.kind == Number.kind)
    return [column.source for column, place in numbers if _rises(x[:, place])]


def _rises(values: Array) -> bool:
    """Whether numbers are whole, all different, and have few gaps."""
    some = np.asarray(values[:_ROWS], np.float64)
    if len(some) < _FEW or (some % 1).any() or len(np.unique(some)) < len(some):
        return False  # as nearly all columns, in no time
    numbers = np.sort(np.asarray(values, np.float64))
    if not np.isfinite(numbers).all() or (numbers % 1).any():
        return False
    steps = np.diff(numbers)
    return bool(steps.min() > 0 and np.mean(steps == np.median(steps)) >= _EVENLY)


def _identifiers(dataset: Dataset) -> Iterator[Diagnostic]:
    for name in identifiers(dataset)[:_SHOWN]:
        text = (
            f"the column {name} looks like numbers of rows: whole, all different and evenly "
            f"rising, so that it says nothing about new rows; {_DROP}"
        )
        yield Diagnostic("identifier", text)


def _constant(columns: _Columns) -> Iterator[Diagnostic]:
    """Columns of a table with one value in all training rows."""
    varied = {
        source
        for source, low, high in zip(columns.sources, columns.low, columns.high, strict=True)
        if low != high
    }
    flat = [source for source in dict.fromkeys(columns.sources) if source not in varied]
    if flat and columns.dataset.columns is not None:
        names = ", ".join(flat[:_SHOWN]) + ", …" * (len(flat) > _SHOWN)
        which = f"the columns {names} have" if len(flat) > 1 else f"the column {names} has"
        text = f"{which} one value in all {len(columns.split.train):,} training rows"
        yield Diagnostic("constant_column", f"{text}, which says nothing about the target")


# Splits that differ by more than chance: held-out rows of another time, or place.

# The difference of means in spreads of the training rows, and in standard errors.
_SPREADS, _ERRORS = 1.0, 5.0


def _unlike(columns: _Columns) -> Iterator[Diagnostic]:
    """Columns of numbers of a table whose held-out mean is a spread away from that of training."""
    if columns.dataset.columns is None:
        return
    for name, part in columns.split.held_out.items():
        far = []
        for place in columns.numbers:
            there, here = (_values(each, place) for each in (part, columns.split.train))
            there, here = there[np.isfinite(there)], here[np.isfinite(here)]
            if not (len(there) and len(here)):
                continue
            least = max(_SPREADS, _ERRORS / sqrt(len(there))) * float(here.std())
            if 0 < least < abs(there.mean() - here.mean()):
                means = f"{there.mean():.3g} on average, {here.mean():.3g} in training"
                far.append(f"{columns.names[place]} is {means}")
        if far:
            which = "; ".join(far[:_SHOWN]) + "; …" * (len(far) > _SHOWN)
            text = f"{name} rows are unlike those of training, so that their numbers may be too"
            yield Diagnostic("unlike_splits", f"{text}: {which}", split=name)


# Categories of held-out rows that no training row has.


def _unseen(dataset: dict[str, Any]) -> Iterator[Diagnostic]:
    for split in dict.fromkeys(found["split"] for found in dataset["unseen"]):
        columns = [found for found in dataset["unseen"] if found["split"] == split]
        which = "; ".join(map(_categories, columns[:_SHOWN])) + "; …" * (len(columns) > _SHOWN)
        text = (
            f"of {dataset[f'n_{split}']:,} {split} rows some have a category that no training row "
            f"has ({which}): they are predicted as {_stand_ins(columns)}; "
            "give rare categories one name, or leave such rows out"
        )
        yield Diagnostic("unseen_category", text, split=split)


def _stand_ins(columns: Sequence[dict[str, Any]]) -> str:
    """What such categories are predicted as."""
    return " or ".join(dict.fromkeys(found.get("as", NONE) for found in columns))


def _categories(found: dict[str, Any]) -> str:
    names = [f"'{name}'" if name else "a blank cell" for name in found["categories"]]
    more = ", …" * (len(names) > _SHOWN)
    return f"{found['rows']:,} in '{found['column']}': {', '.join(names[:_SHOWN])}{more}"
