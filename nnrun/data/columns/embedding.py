"""A column of categories whose vectors the network learns: one feature, the category's number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnrun.characters import escaped
from nnrun.data.columns.categorical import Categorical
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Embedding(Categorical):
    """The number of a row's category; that after the last is of all rare and unknown ones."""

    kind: ClassVar[str] = "embedding"
    coded: ClassVar[bool] = True

    dimensions: int = 1

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def entries(self) -> int:
        """The rows of the table of vectors."""
        return len(self.known) + 1

    def odd(self, x: Array) -> tuple[int, str] | None:
        """A number that is not one of a category."""
        numbers = x[:, 0]
        right = (numbers >= 0) & (numbers < self.entries) & (numbers == np.floor(numbers))
        if right.all():
            return None
        row = int(right.argmin())
        belong = f"the numbers 0 to {self.entries - 1} of categories belong"
        what = f"{x[row, 0]} in the column '{self.name}', where {belong}"
        return row, escaped(f"{what}; in a table, it may hold its categories", kept="")

    def state(self) -> dict[str, Any]:
        return {**super().state(), "dimensions": self.dimensions}
