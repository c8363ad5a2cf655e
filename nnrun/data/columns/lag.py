"""Values of earlier rows as features: what a column had some rows before, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.numbers import NumberCells
from nnrun.data.cells.problems import Problems
from nnrun.data.columns.column import Column
from nnrun.data.formats.dates import ISO_DATES, DateFormat
from nnrun.data.formats.numbers import NumberFormat
from nnrun.errors import DataError
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Lag(Column):
    """A column of numbers at earlier rows; rows that have too few before them are left out.

    Its cells are read with those of all rows by `History`, which makes the features.

    Args:
        name: `load.lag` for the column `load`.
        of: that column.
        steps: how many rows earlier.
        time: the column of the times of rows.
        group: the column of the groups, each of which has rows of its own; or empty.
        form: how the numbers are written, if not plainly.
        time_form: how the times are written, if they are dates.
    """

    kind: ClassVar[str] = "lag"

    of: str = ""
    steps: tuple[int, ...] = ()
    time: str = ""
    group: str = ""
    form: NumberFormat | None = None
    time_form: DateFormat = ISO_DATES

    @property
    def source(self) -> str:
        return self.of

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.of}.lag_{step}" for step in self.steps)

    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> NumberCells:
        role = "lag" if training else "input"
        return NumberCells(self.of, problems, role, fills=True, decimal=decimal, form=self.form)

    def read_values(self, cells: NumberCells, values: Array, decimal: str) -> None:
        raise DataError(
            f"the network takes earlier values of '{self.of}', which `nnrun predict` finds in a "
            f"file; here, give an array with {', '.join(self.feature_names)} among its columns"
        )

    def encode(self, cells: NumberCells) -> Array:
        raise TypeError(f"the lags of '{self.of}' are made by a History")

    def choices(self) -> list[tuple[str, Array]]:
        return []

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {"of": self.of, "steps": list(self.steps), "time": self.time}
        found |= {"group": self.group} if self.group else {}
        found |= {"form": self.form.example()} if self.form else {}
        return found | ({"time_form": self.time_form.codes} if self.time_form.codes else {})

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        form = state.get("form")
        steps = tuple(int(step) for step in state["steps"])
        if min(steps) < 1:
            raise ValueError(f"there are no {min(steps)} earlier rows")
        changed = {
            "steps": steps,
            "form": form and NumberFormat.from_example(form),
            "time_form": DateFormat.restored(state.get("time_form", "")),
        }
        return cls(name, **state | changed)


class EqualTimes(ValueError):  # noqa: N818  # named as the other errors are
    """Two rows of one time, so that neither is earlier; `rows` are their indices."""

    def __init__(self, first: int, second: int) -> None:
        self.rows = first, second
        super().__init__(f"rows {first} and {second} have the same time")


def lagged(
    values: Array,
    times: npt.NDArray[Any],
    steps: Sequence[int],
    groups: npt.NDArray[Any] | None = None,
) -> Array:
    """For each row the values of the rows that are this many steps earlier; NaN if there are none.

    Args:
        values: (rows,), in any order; NaN where one is not known.
        times: of each row; all of one group differ.
        steps: how many rows earlier, 1 or more, in the order of time.
        groups: of each row, a number; rows of other groups are not counted.

    Returns: (rows, steps).
    Raises: EqualTimes.
    """
    if groups is None:
        groups = np.zeros(len(values), np.intp)
    order = np.lexsort((times, groups))
    times, groups = times[order], groups[order]
    equal = (times[1:] == times[:-1]) & (groups[1:] == groups[:-1])
    if equal.any():
        place = int(equal.argmax())
        raise EqualTimes(*sorted(order[place : place + 2].tolist()))
    found = np.full((len(values), len(steps)), np.nan)
    for column, step in enumerate(steps):
        same = groups[step:] == groups[:-step]
        found[order[step:][same], column] = values[order[:-step][same]]
    return found
