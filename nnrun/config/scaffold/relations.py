"""How the columns of a table go with its target, on some of its rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

import numpy as np

from nnrun.config.scaffold.columns import COUNTED, may_be_averaged
from nnrun.data.readers.profile import ColumnProfile, Survey, opened
from nnrun.nn.signature import Array

MOST_ROWS = 20_000
BINS = 12
_YEAR = 365.2425 * 86_400  # in seconds
_PIECES, _FOLDS, _MOST_NAMED = 20, 5, 12
_LARGEST = 1e100
BLANK = "(missing)"


def is_ordered(column: ColumnProfile) -> bool:
    """Whether its values are compared as numbers or dates, and not as categories."""
    is_number = column.kind in ("number", "date", "unnamed", *COUNTED)
    return is_number and not may_be_averaged(column)


@dataclass(frozen=True, eq=False)
class Relation:
    """A column beside the target.

    Args:
        explained: how much of the target is known from the column alone, by means within folds: R²,
            or of classes the accuracy above that of naming the largest.
        edges: of a histogram; empty for categories.
        counts: the rows in each bin, or of each of `names`.
        names: the most frequent categories, or the pieces of the range that `groups` numbers.
        places: of each piece on the axis of the column; empty for categories.
        groups: of each row its piece or category; -1 for none that is named.
    """

    explained: float
    edges: Sequence[float]
    counts: Sequence[int]
    names: Sequence[str]
    places: Sequence[float]
    groups: Array


@dataclass(frozen=True, eq=False)
class Sample:
    """Some rows of a table with a target: at most `MOST_ROWS`, spread over all that were read.

    `targets` are values (rows,), or the numbers of `classes`.
    """

    cells: dict[str, list[str]]
    targets: Array
    classes: Sequence[str]
    decimal: str

    @classmethod
    def of(cls, found: Survey, target: ColumnProfile, classes: Sequence[str]) -> Sample:
        """Read the table again."""
        step, rows = math.ceil(found.rows / MOST_ROWS), list[list[str]]()
        with opened(found) as table:
            for place, (_, cells) in zip(range(found.rows), table.rows(), strict=False):
                if place % step == 0:
                    rows.append([*map(str.strip, cells)])
        at = [column.name for column in found.columns].index(target.name)
        number = {text: float(place) for place, text in enumerate(classes)}
        values = [
            number.get(row[at]) if classes else target.value(row[at], found.decimal) for row in rows
        ]
        kept = [place for place, value in enumerate(values) if _is_moderate(value)]
        columns = {
            column.name: [rows[place][index] for place in kept]
            for index, column in enumerate(found.columns)
        }
        targets = np.array([values[place] for place in kept], np.float64)
        return cls(columns, targets, classes, found.decimal)

    def relation(self, column: ColumnProfile, *, as_numbers: bool) -> Relation:
        """A column as numbers or dates, else as categories."""
        texts = self.cells[column.name]
        if not as_numbers:
            codes, most = _coded(texts)
            named = np.array([place for place, _ in most], int)
            groups = np.full(len(codes), -1)
            for place, code in enumerate(named):
                groups[codes == code] = place
            names = [texts[int(np.argmax(codes == code))] or BLANK for code in named]
            return Relation(self._explained(codes), (), [n for _, n in most], names, (), groups)
        values = np.array([_float(column, text, self.decimal) for text in texts])
        known = values[np.isfinite(values)]
        counts, edges = np.histogram(known, _edges(known))
        codes = _pieces(values, known, _PIECES)
        groups = _pieces(values, known, BINS)
        places = [
            float(np.median(values[groups == k])) for k in range(int(groups.max(initial=-1)) + 1)
        ]
        return Relation(
            self._explained(codes), edges.tolist(), [int(n) for n in counts],
            [f"{place:g}" for place in places], places, groups,
        )  # fmt: skip

    def _explained(self, codes: Array) -> float:
        """What the means of the target for each code explain in rows outside of their fold."""
        y = self.targets
        if not len(y):
            return 0.0
        wanted = y[:, None] == np.arange(len(self.classes)) if self.classes else y[:, None]
        found = _means_of_others(codes, wanted.astype(float))
        if self.classes:
            share = wanted.mean(axis=0).max()
            return max(0.0, float(np.mean(found.argmax(axis=1) == y) - share))
        spread = float(np.sum((y - y.mean()) ** 2))
        return max(0.0, 1 - float(np.sum((y - found[:, 0]) ** 2)) / spread) if spread else 0.0


def _means_of_others(codes: Array, wanted: Array) -> Array:
    """The means of targets (rows, numbers) for the code of each row, in the rows of other folds."""
    codes, found = codes - codes.min(), np.empty(wanted.shape)
    fold = np.random.default_rng(0).permutation(len(wanted)) % _FOLDS
    for part in range(_FOLDS):
        rest = fold != part
        mean = wanted[rest].mean(axis=0) if rest.any() else wanted.mean(axis=0)
        sums = np.zeros((int(codes.max()) + 1, wanted.shape[1]))
        np.add.at(sums, codes[rest], wanted[rest])
        rows = np.bincount(codes[rest], minlength=len(sums))[:, None]
        # Drawn towards the mean of all, as if one more row had it.
        found[~rest] = ((sums + mean) / (rows + 1))[codes[~rest]]
    return found


def share_explained(
    column: ColumnProfile, texts: Sequence[str], decimal: str, residuals: Array
) -> tuple[float, float]:
    """How much of the variance of residuals (rows, numbers) a column explains out of fold.

    Returns the share and its standard error, by what each row gains over the mean of other folds.
    """
    if is_ordered(column):
        values = np.array([_float(column, text, decimal) for text in texts])
        codes = _pieces(values, values[np.isfinite(values)], _PIECES)
    else:
        codes = _coded(texts)[0]
    plain, means = (_means_of_others(each, residuals) for each in (np.zeros_like(codes), codes))
    gains = ((residuals - plain) ** 2 - (residuals - means) ** 2).sum(axis=1)
    spread = float(((residuals - residuals.mean(axis=0)) ** 2).sum()) or 1.0
    return float(gains.sum()) / spread, float(gains.std(ddof=1)) * math.sqrt(len(gains)) / spread


def _is_moderate(value: float | None) -> bool:
    """Whether squares and differences of such numbers are finite."""
    return value is not None and abs(value) < _LARGEST  # NaN is not


def _coded(texts: Sequence[str]) -> tuple[Array, list[tuple[int, int]]]:
    """The number of each row's category, and the most frequent numbers with their rows."""
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(text, len(numbers)) for text in texts], int)
    return codes, Counter(codes.tolist()).most_common(_MOST_NAMED)


def _edges(known: Array) -> Array:
    """The edges of bins, fewer where floats have no room for all."""
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = (abs(low) / 2 or 0.5) * (low == high)
    return np.unique(np.linspace(low - room, high + room, BINS + 1))


def _pieces(values: Array, known: Array, most: int) -> Array:
    """The piece of its range that each value is in, each with as many rows; -1 for missing.

    A few different values are a piece each.
    """
    if not len(known):
        return np.full(len(values), -1)
    different = np.unique(known)
    few = len(different) <= most
    inner = different if few else np.quantile(known, np.linspace(0, 1, most + 1))[1:-1]
    pieces = np.searchsorted(np.unique(inner), values, side="left")
    numbers = np.unique(pieces[np.isfinite(values)], return_inverse=True)[1]
    found = np.full(len(values), -1)
    found[np.isfinite(values)] = numbers
    return found


def _float(column: ColumnProfile, text: str, decimal: str) -> float:
    """A number, or a date as a year with its part, such as 2020.5; NaN if it is neither."""
    if column.kind != "date":
        value = column.value(text, decimal)
        return float(value) if value is not None and _is_moderate(value) else math.nan
    form = column.evidence.format
    time = form.read(text) if form is not None else None
    if time is None:
        return math.nan
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() / _YEAR + 1970
