"""Columns of numbers while a table is read."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.cell_errors import Mistake, about_format, about_number
from nnrun.data.cells.part import Cells, Lines, Numbers, Texts
from nnrun.data.cells.problems import Problems
from nnrun.data.formats.numbers import NumberFormat

_LEAST_WEIGHT, _LARGEST_WEIGHT = 1e-50, 1e50


class NumberCells(Cells):
    """A column of finite numbers.

    The role is `feature`, `target`, or `input`, as for `about_number`. With `fills` missing values
    are allowed; they become NaN, to be filled in later. With a format, numbers are written so.
    """

    def __init__(
        self,
        name: str,
        problems: Problems,
        role: str = "feature",
        *,
        fills: bool = False,
        decimal: str = ".",
        form: NumberFormat | None = None,
    ) -> None:
        self.name, self.problems, self.role = name, problems, role
        self.fills, self.decimal, self.form = fills, decimal, form
        self.of_numbers = form is None
        self.values = array("d")
        self._parts: list[npt.NDArray[np.float64]] = []  # what came before `values`

    def add(self, text: str, line: int) -> None:
        self.values.append(self._checked(text, line))

    def extend(self, cells: Numbers | Texts, lines: Lines) -> None:
        if isinstance(cells, Texts):
            values = np.array([self._number(text) for text in cells.texts], np.float64)[cells.codes]
            odd = np.flatnonzero(~np.isfinite(values)).tolist()
            cells = Numbers(values, {row: cells.texts[cells.codes[row]] for row in odd})
        for row, text in cells.odd.items():
            cells.values[row] = self._checked(text, int(lines[row]))
        self._put_by()
        self._parts.append(cells.values)

    def _put_by(self) -> None:
        if self.values:
            self._parts.append(np.frombuffer(self.values, np.float64))
            self.values = array("d")

    def _checked(self, text: str, line: int) -> float:
        """The number of a cell, or NaN with a mistake unless it may be missing."""
        value = self._number(text)
        if not math.isfinite(value) and not (self.fills and self.is_missing(text)):
            self.problems.add(line, self.name, self._mistake(text.strip()))
        return value

    def _mistake(self, text: str) -> Mistake:
        if self.form is None or self.is_missing(text):
            return about_number(text, self.role, self.decimal)
        return about_format(text, self.form.example())

    def _number(self, text: str) -> float:
        """The number, or NaN if it is not one."""
        if self.form is not None:
            value = self.form.read(text)
            return math.nan if value is None else value
        if "_" in text or (self.decimal == "," and "." in text):
            return math.nan
        try:
            return float(text.replace(",", ".") if self.decimal == "," else text)
        except ValueError:
            return math.nan

    def features(self) -> npt.NDArray[np.float64]:
        """The column as one feature: (rows, 1)."""
        self._put_by()
        # Parts would keep those of other columns in memory, which are beside them.
        self._parts = [np.concatenate([np.empty(0), *self._parts])]
        return self._parts[0][:, None]

    def taken(self, rows: int) -> npt.NDArray[np.float64]:
        """Take the first rows away, as one feature: (rows, 1)."""
        self._put_by()
        taken = [np.empty(0)]
        while rows > 0 and self._parts:
            first = self._parts.pop(0)
            taken.append(first[:rows])
            if len(first) > rows:
                self._parts.insert(0, first[rows:])
            rows -= len(taken[-1])
        return np.concatenate(taken)[:, None]


class WeightCells(NumberCells):
    """A column of the weights of rows: 0, or numbers whose fourth powers can be added up.

    Such powers stand in Matthews' correlation coefficient.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of_numbers = False  # a mistake shows the text of a number

    def extend(self, cells: Numbers | Texts, lines: Lines) -> None:
        Cells.extend(self, cells, lines)

    def add(self, text: str, line: int) -> None:
        super().add(text, line)
        weight, mistake = self.values[-1], None
        if -math.inf < weight < 0:
            mistake = Mistake("negative", f"'{text.strip()}' is negative, and no weight can be")
        elif 0 < weight < _LEAST_WEIGHT or _LARGEST_WEIGHT < weight < math.inf:
            what = (
                f"'{text.strip()}' is neither 0 nor from {_LEAST_WEIGHT:g} to {_LARGEST_WEIGHT:g}"
            )
            mistake = Mistake("size", what, "; divide all weights by the same number")
        if mistake is not None:
            self.problems.add(line, self.name, mistake)
