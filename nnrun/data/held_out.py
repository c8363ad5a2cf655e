"""Comparing held-out rows with training rows: duplicates, and categories not seen in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from nnrun.characters import escaped
from nnrun.data.columns.column import Fitted, TrainingRows
from nnrun.data.columns.number import Number
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.layout import Columns
from nnrun.data.rows.raw import Places
from nnrun.data.splits.parts import Split, SplitData, Unseen
from nnrun.nn.signature import Array, Rng


def with_training_categories(
    dataset: Dataset, split: Split, rng: Rng | None = None
) -> tuple[Dataset, Split]:
    """Fit columns to the training rows: to the categories that these have, and means of the target.

    The new set has the original as `whole`; if nothing changes, the arguments are returned. `rng`
    draws the folds for means.
    """
    columns = dataset.columns
    if columns is None or columns.plain:
        return dataset, split
    rng = rng or np.random.default_rng(0)
    training = TrainingRows(split.train.y, dataset.classes, lambda: int(rng.integers(2**31)))
    fits = [
        None
        if column.kind == Number.kind
        else column.fitted(split.train.raw.features(place, column.codes), training)
        for column, place in zip(columns, columns.places.values(), strict=True)
    ]
    if not any(fits):
        return dataset, split
    every = [fit.column if fit else column for column, fit in zip(columns, fits, strict=True)]
    unseen = tuple(_unseen(split, columns, fits, dataset.row_numbers))
    after = replace(columns, every=tuple(every))

    def part_of(part: SplitData, train: Places | None = None) -> SplitData:
        return replace(part, raw=replace(part.raw, view=_Fitted(columns, fits, train)))

    parts: dict[str, Any] = {name: part_of(part) for name, part in split.held_out.items()}
    parts["train"] = part_of(split.train, split.train.rows)
    narrow = replace(dataset, columns=after, feature_names=after.feature_names, whole=dataset)
    return narrow, replace(split, **parts, unseen=unseen)


def check_categories(dataset: Dataset, split: Split) -> None:
    """Raise a DatasetProblem if a held-out row has a category that `unknown: error` forbids."""
    columns = (split.unseen and dataset.columns) or ()
    forbids = {column.name for column in columns if getattr(column, "unknown", "") == "error"}
    for one in split.unseen:
        if one.column in forbids:
            rows = f"{one.rows} rows" if one.rows > 1 else "a row"
            where = f"{'the first is ' * (one.rows > 1)}row {one.first} of the data"
            verb = "have" if one.rows > 1 else "has"
            names = ", ".join(f"'{name}'" for name in one.categories[:3])
            more = ", …" * (len(one.categories) > 3)
            message = (
                f"{rows} of the {one.part} split ({where}) {verb} a category of '{one.column}' "
                f"that no training row has: {names}{more}; `unknown: ignore` predicts it as none "
                "of them"
            )
            raise DatasetProblem([(("dataset", "unknown"), escaped(message, kept=""))])


@dataclass(frozen=True, eq=False)
class _Fitted:
    """The features of columns after they were fitted to the training rows.

    Args:
        columns: before that.
        fits: of each column that changes.
        train: the numbers of the training rows, if these are they.
    """

    columns: Columns
    fits: Sequence[Fitted | None]
    train: Places | None = None

    @cached_property
    def features(self) -> int:
        pairs = zip(self.columns, self.fits, strict=True)
        return sum((fit.column if fit else column).width for column, fit in pairs)

    def __call__(self, x: Array, rows: Places) -> Array:
        parts = zip(self.columns.parts(x), self.fits, strict=True)
        return np.hstack([self._features(part, fit, rows) for (_, part), fit in parts])

    def _features(self, x: Array, fit: Fitted | None, rows: Places) -> Array:
        if fit is None:
            return x
        if fit.training is None or self.train is None:
            return fit.convert(x)
        found: Array = fit.training[self._positions[rows]]
        return found

    @cached_property
    def _positions(self) -> Places:
        """Where each row of the data set is among the training rows."""
        assert self.train is not None
        positions = np.zeros(self.train.max() + 1, np.intp)
        positions[self.train] = np.arange(len(self.train))
        return positions


def _unseen(
    split: Split, columns: Columns, fits: Sequence[Fitted | None], numbers: Places
) -> Iterator[Unseen]:
    for name, part in split.held_out.items():
        for column, place, fit in zip(columns, columns.places.values(), fits, strict=True):
            if fit is None:
                continue
            rows, categories = fit.unseen(part.raw.features(place, column.codes))
            if categories:
                first = int(numbers[part.rows[rows]].min())
                yield Unseen(name, column.name, len(rows), categories, first)


def duplicates(dataset: Dataset, split: Split) -> dict[str, int]:
    """The number of rows of each held-out split that equal a training row, target included."""
    held_out = split.held_out
    numbers = (dataset.whole or dataset).equal_rows if held_out else None
    if numbers is None:
        return dict.fromkeys(held_out, 0)
    seen = np.zeros(numbers.max() + 1, np.bool_)
    seen[numbers[split.train.rows]] = True
    return {name: int(seen[numbers[part.rows]].sum()) for name, part in held_out.items()}
