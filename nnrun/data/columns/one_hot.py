"""A column of categories, one-hot encoded: a 0/1 feature for each category."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from nnrun.characters import escaped
from nnrun.data.cells.cell_errors import about_unknown
from nnrun.data.cells.labels import MISSING, LabelCells
from nnrun.data.columns.categorical import Categorical
from nnrun.data.columns.column import Fitted
from nnrun.errors import DataError
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class OneHot(Categorical):
    """A feature for each category: 1 in rows that have it, else 0."""

    kind: ClassVar[str] = "one_hot"

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}={label}" for label in self.labels)

    def encode(self, cells: LabelCells) -> Array:
        return np.equal(cells.positions()[:, None], np.arange(self.width)).astype(float)

    def fitted(self, x: Array) -> Fitted | None:
        """Categories that no training row has are left out; rows with one have 0 everywhere."""
        kept = x.any(axis=0)
        if kept.all():
            return None
        known = np.array(self.known, dtype=object)

        def unseen(x: Array) -> tuple[int, tuple[str, ...]]:
            there = x[:, ~kept] != 0
            return int(there.any(axis=1).sum()), tuple(known[~kept][there.any(axis=0)])

        column = replace(self, known=tuple(known[kept]))
        return Fitted(column, lambda x: x[:, kept], unseen)

    def choices(self) -> Mapping[str, Array]:
        return dict(zip(self.labels, np.eye(self.width), strict=True))

    def example(self) -> Array:
        row: Array = np.eye(1, self.width)[0]
        return row

    def odd(self, x: Array) -> tuple[int, str] | None:
        """A number outside [0, 1], which may be a category that was not encoded."""
        wrong = ~((x >= 0) & (x <= 1))
        if not wrong.any():
            return None
        row, index = np.argwhere(wrong)[0]
        name = self.feature_names[index]
        what = f"{x[row, index]} in the one-hot column '{name}', where 0 and 1 belong"
        hint = f"in a table, '{self.name}' may hold its categories"
        return int(row), escaped(f"{what}; {hint}", kept="")

    @property
    def missing(self) -> int | None:
        """The place of the category for missing values; None if training had none."""
        return self.known.index(MISSING) if MISSING in self.known else None

    def completed(self, x: Array, place: Callable[[int], str]) -> Array:
        empty = ~x.any(axis=1)
        if not empty.any():
            return x
        if self.missing is None:
            raise DataError(
                f"{place(int(empty.argmax()))} has 0 in all one-hot columns of "
                f"'{escaped(self.name, kept='')}': {about_unknown(MISSING, self.known).text}"
            )
        x = x.copy()
        x[empty, self.missing] = 1
        return x
