"""A column of numbers: one feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnrun.data.cells.numbers import NumberCells
from nnrun.data.cells.problems import Problems
from nnrun.data.columns.column import Column
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Number(Column):
    """One feature; missing numbers are refused, or filled in by a statistic."""

    kind: ClassVar[str] = "number"

    statistic: str = ""
    """`mean`, `median` or `most_frequent`, or empty."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def imputed(self) -> Mapping[int, str]:
        return {0: self.statistic} if self.statistic else {}

    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> NumberCells:
        role, fills = "feature" if training else "input", bool(self.statistic)
        return NumberCells(self.source, problems, role, fills=fills, decimal=decimal)

    def read_values(self, cells: NumberCells, values: Array, decimal: str) -> None:
        if values.dtype.kind in "buif" and np.isfinite(values).all():
            cells.values.frombytes(np.ascontiguousarray(values, np.float64).tobytes())
        else:
            super().read_values(cells, values, decimal)

    def encode(self, cells: NumberCells) -> Array:
        return cells.features()

    def state(self) -> dict[str, Any]:
        return {"statistic": self.statistic} if self.statistic else {}
