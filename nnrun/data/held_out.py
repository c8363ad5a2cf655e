"""Comparing held-out rows with training rows: duplicates, and categories not seen in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.columns.column import Fitted
from nnrun.data.columns.number import Number
from nnrun.data.dataset import Dataset
from nnrun.data.layout import Columns
from nnrun.data.splits.parts import Split, SplitData, Unseen
from nnrun.nn.signature import Array


def with_training_categories(dataset: Dataset, split: Split) -> tuple[Dataset, Split]:
    """Fit columns to the training rows: the categories that none of them has are removed.

    The set with fewer has the original as `whole`; if nothing changes, the arguments are returned.
    """
    columns = dataset.columns
    if columns is None or columns.plain:
        return dataset, split
    fits = [
        None if column.kind == Number.kind else column.fitted(split.train.raw.features(place))
        for column, place in zip(columns, columns.places.values(), strict=True)
    ]
    if not any(fits):
        return dataset, split
    every = [fit.column if fit else column for column, fit in zip(columns, fits, strict=True)]
    after = replace(columns, every=tuple(every))

    def part_of(part: SplitData | None) -> Any:
        return part and replace(part, raw=replace(part.raw, view=_Fitted(columns, fits)))

    narrow = replace(
        dataset,
        columns=after,
        feature_names=after.feature_names,
        whole=dataset,
    )
    parts = {name: part_of(getattr(split, name)) for name in ("train", "validation", "test")}
    unseen = tuple(_unseen(split, columns, fits))
    return narrow, replace(split, **parts, unseen=unseen)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """The features of columns after they were fitted to the training rows."""

    columns: Columns
    fits: Sequence[Fitted | None]

    @cached_property
    def features(self) -> int:
        pairs = zip(self.columns, self.fits, strict=True)
        return sum((fit.column if fit else column).width for column, fit in pairs)

    def __call__(self, x: Array, rows: npt.NDArray[np.intp]) -> Array:
        parts = zip(self.columns.parts(x), self.fits, strict=True)
        return np.hstack([fit.convert(part) if fit else part for (_, part), fit in parts])


def _unseen(split: Split, columns: Columns, fits: Sequence[Fitted | None]) -> Iterator[Unseen]:
    for name, part in split.held_out.items():
        for column, place, fit in zip(columns, columns.places.values(), fits, strict=True):
            rows, categories = fit.unseen(part.raw.features(place)) if fit else (0, ())
            if categories:
                yield Unseen(name, column.name, rows, categories)


def duplicates(dataset: Dataset, split: Split) -> dict[str, int]:
    """The number of rows of each held-out split that equal a training row, target included."""
    held_out = split.held_out
    numbers = (dataset.whole or dataset).equal_rows if held_out else None
    if numbers is None:
        return dict.fromkeys(held_out, 0)
    seen = np.zeros(numbers.max() + 1, np.bool_)
    seen[numbers[split.train.rows]] = True
    return {name: int(seen[numbers[part.rows]].sum()) for name, part in held_out.items()}
