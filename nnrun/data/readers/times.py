"""The times of rows, from text or numbers."""

from __future__ import annotations

import math
import re
from array import array
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.cell_errors import MISSING_NUMBERS, Mistake, about_missing
from nnrun.data.cells.problems import Problems
from nnrun.data.cells.reader import Cells
from nnrun.data.labels import number

_MONTH = re.compile(r"\d{4}-\d{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FORMS = "write ISO dates such as 2024-03-31, or numbers"


def read_time(text: str, decimal: str = ".") -> tuple[str, float]:
    """What a text is, and its value: a number, or a date in microseconds since 1970.

    Raises: ValueError if it is neither.
    """
    value = number(text, decimal)
    if value is not None:
        if not math.isfinite(value):
            raise ValueError(text)
        return "a number", value
    date = datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
    kind = "a date" if date.tzinfo is None else "a date with a time zone"
    return kind, (
        (date.replace(tzinfo=UTC) if date.tzinfo is None else date) - _EPOCH
    ) // _MICROSECOND


class TimeColumn(Cells):
    """A column of times, all of them numbers or all dates.

    Args:
        name: of the column.
        problems: collects mistakes.
        decimal: the decimal sign.
    """

    def __init__(self, name: str, problems: Problems, decimal: str = ".") -> None:
        self.name, self.problems, self.decimal = name, problems, decimal
        self.kind = ""
        self._numbers, self._dates = array("d"), array("q")

    def is_missing(self, text: str) -> bool:
        """Whether the cell stands for a missing value."""
        return text.strip().lower() in MISSING_NUMBERS

    def add(self, text: str, line: int) -> None:
        text = text.strip()
        if self.is_missing(text):
            self.problems.add(line, self.name, about_missing(text, "split"))
            return
        try:
            kind, value = read_time(text, self.decimal)
        except ValueError:
            mistake = Mistake("time", f"'{text}' is not a time", f"; {_FORMS}")
            self.problems.add(line, self.name, mistake)
            return
        self.kind = self.kind or kind
        if kind != self.kind:
            text = f"'{text}' is {kind}, and the first row has {self.kind}"
            self.problems.add(line, self.name, Mistake(kind, text, "; write all in one form"))
        elif kind == "a number":
            self._numbers.append(value)
        else:
            self._dates.append(int(value))

    def positions(self) -> npt.NDArray[np.float64] | npt.NDArray[np.datetime64]:
        """The times in the order of rows; dates with a time zone in UTC."""
        if self.kind == "a number":
            return np.frombuffer(self._numbers, np.float64)
        return np.frombuffer(self._dates, np.int64).view("datetime64[us]")
