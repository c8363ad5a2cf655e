"""A column of categories, one-hot encoded: a 0/1 feature for each category."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nnrun.characters import escaped
from nnrun.data.cells.cell_errors import about_unknown
from nnrun.data.cells.labels import MISSING
from nnrun.data.columns.categorical import Categorical
from nnrun.errors import DataError
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class OneHot(Categorical):
    """A feature for each category, and one for all rare ones: 1 in rows that have it, else 0."""

    kind: ClassVar[str] = "one_hot"

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}={label}" for label in self.labels)

    @property
    def width(self) -> int:
        return len(self.known) + bool(self.rare)

    def encoded(self, codes: Array) -> Array:
        return np.equal(codes[:, None], np.arange(self.width)).astype(float)

    def codes(self, x: Array) -> Array:
        codes: Array = x.argmax(axis=1)
        return codes

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
    def absent(self) -> int | None:
        """The feature that becomes 1 in rows with 0 in all features; None if there is none.

        Such a row has a category that training has not seen; where these are not ignored, a missing
        one, if training had some.
        """
        if self.unknown == "ignore":
            return len(self.known) if self.rare else None
        if MISSING in self.known:
            return self.known.index(MISSING)
        if MISSING in self.rare:
            return len(self.known)
        return None if self.frequent is None else self.known.index(self.frequent)

    @property
    def refuses(self) -> bool:
        """Whether rows with 0 in all features are a mistake."""
        return self.absent is None and self.unknown == "error"

    def completed(self, x: Array, place: Callable[[int], str]) -> Array:
        empty = ~x.any(axis=1)
        if not empty.any():
            return x
        if self.refuses:
            raise DataError(
                f"{place(int(empty.argmax()))} has 0 in all one-hot columns of "
                f"'{escaped(self.name, kept='')}': {about_unknown(MISSING, self.known).text}"
            )
        if self.absent is None:
            return x
        x = x.copy()
        x[empty, self.absent] = 1
        return x
