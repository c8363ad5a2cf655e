"""A column of numbers: one feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, Self

import numpy as np

from nnrun.data.cells.numbers import NumberCells
from nnrun.data.cells.problems import Problems
from nnrun.data.columns.column import Column, text_of
from nnrun.data.formats.numbers import NumberFormat
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Number(Column):
    """One feature; missing numbers are refused, or filled in by a statistic."""

    kind: ClassVar[str] = "number"

    statistic: str = ""
    """`mean`, `median` or `most_frequent`, or empty."""
    form: NumberFormat | None = None
    """How numbers are written, if not plainly."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def imputed(self) -> Mapping[int, str]:
        return {0: self.statistic} if self.statistic else {}

    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> NumberCells:
        role, fills = "feature" if training else "input", bool(self.statistic)
        return NumberCells(
            self.source, problems, role, fills=fills, decimal=decimal, form=self.form
        )

    def read_values(self, cells: NumberCells, values: Array, decimal: str) -> None:
        if values.dtype.kind in "buif" and np.isfinite(values).all():
            cells.values.frombytes(np.ascontiguousarray(values, np.float64).tobytes())
            return
        for row, value in enumerate(values.tolist()):
            if self.form is not None and isinstance(value, int | float) and isfinite(value):
                cells.values.append(value)
            else:
                cells.add(text_of(value), row)

    def encode(self, cells: NumberCells) -> Array:
        return cells.features()

    def state(self) -> dict[str, Any]:
        statistic = {"statistic": self.statistic} if self.statistic else {}
        return statistic | ({} if self.form is None else {"form": self.form.example()})

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        form = state.get("form")
        return cls(name, **state | {"form": form and NumberFormat.from_example(form)})
