"""Columns of dates, and of the times of rows, while a table is read."""

from __future__ import annotations

import math
from array import array
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.cell_errors import Mistake, about_missing, date_format_hint
from nnrun.data.cells.part import Cells
from nnrun.data.cells.problems import Problems
from nnrun.data.formats.dates import DateFormat, microseconds
from nnrun.data.labels import number

_MISSING = np.iinfo(np.int64).min  # NaT
_AS_BEFORE = ", as it was in training"
_FORMS = "write ISO dates such as 2024-03-31, or numbers"


class DateCells(Cells):
    """A column of dates, all with a time zone or all without.

    Args:
        form: how dates are written.
        role: `feature` or `input`, as for `about_number`.
        fills: whether missing dates are allowed; they become NaT.
        zoned: whether dates in training have a time zone; None if that is not known.
    """

    def __init__(
        self,
        name: str,
        problems: Problems,
        form: DateFormat,
        role: str = "feature",
        *,
        fills: bool = False,
        zoned: bool | None = None,
    ) -> None:
        self.name, self.problems, self.form = name, problems, form
        self.role, self.fills = role, fills
        self.zoned, self._others = zoned, "before" if zoned is None else "in training"
        self._local, self._instants = array("q"), array("q")

    def add(self, text: str, line: int) -> None:
        text = text.strip()
        if not self.is_missing(text):
            self.add_date(self.form.read(text), text, line)
            return
        if not self.fills:
            self.problems.add(line, self.name, about_missing(text, self.role))
        self._append(None)

    def add_date(self, date: datetime | None, text: str, line: int) -> None:
        """Add a date that is read already; None if the text is not written as dates are."""
        if date is None:
            message = f"'{text}' is not a date that is written as {self.form.example()} is"
            before = ", as it was in training"
            hint = before if self.role == "input" else date_format_hint(text)
            self.problems.add(line, self.name, Mistake("date", message, hint))
        elif self.zoned is None:
            self.zoned = date.tzinfo is not None
        elif self.zoned != (date.tzinfo is not None):
            without = "without" if self.zoned else "with"
            message = f"'{text}' is {without} a time zone, unlike those {self._others}"
            self.problems.add(line, self.name, Mistake("zone", message, "; write all in one form"))
        self._append(date)

    def _append(self, date: datetime | None) -> None:
        if date is None:
            self._local.append(_MISSING)
            self._instants.append(_MISSING)
            return
        self._local.append(microseconds(date.replace(tzinfo=UTC)))
        self._instants.append(microseconds(date))

    @property
    def local(self) -> npt.NDArray[Any]:
        """The dates as written, on the clock of their time zone: (rows,), datetime64[us]."""
        return np.frombuffer(self._local, np.int64).view("datetime64[us]")

    @property
    def instants(self) -> npt.NDArray[Any]:
        """The same in UTC."""
        return np.frombuffer(self._instants, np.int64).view("datetime64[us]")


def read_time(text: str, decimal: str, form: DateFormat) -> tuple[str, float]:
    """What a text is, and its value: a number, or a date in microseconds since 1970.

    Raises: ValueError if it is neither; with a format it has to be a date.
    """
    value = None if form.codes else number(text, decimal)
    if value is not None:
        if not math.isfinite(value):
            raise ValueError(text)
        return "a number", value
    date = form.read(text)
    if date is None:
        raise ValueError(text)
    kind = "a date" if date.tzinfo is None else "a date with a time zone"
    return kind, microseconds(date)


class TimeColumn(Cells):
    """A column of times, all of them numbers or all dates.

    Args:
        form: how dates are written; in ISO form, times may be numbers instead.
        role: `split` or `input`, as for `about_number`.
    """

    def __init__(
        self,
        name: str,
        problems: Problems,
        decimal: str = ".",
        form: DateFormat | None = None,
        role: str = "split",
    ) -> None:
        self.name, self.problems, self.decimal = name, problems, decimal
        self.form, self.role = form or DateFormat(), role
        self.kind, self.fills = "", False
        self._numbers, self._dates = array("d"), array("q")

    def add(self, text: str, line: int) -> None:
        text = text.strip()
        if self.is_missing(text):
            self.problems.add(line, self.name, about_missing(text, self.role))
            return
        try:
            kind, value = read_time(text, self.decimal, self.form)
        except ValueError:
            mistake = Mistake("time", f"'{text}' is not a time", self._hint(text))
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

    def _hint(self, text: str) -> str:
        if self.form.codes:
            hint = date_format_hint(text) if self.role == "split" else _AS_BEFORE
            return f" that is written as {self.form.example()} is{hint}"
        if self.role == "input":
            return _AS_BEFORE
        return date_format_hint(text) or f"; {_FORMS}"

    def positions(self) -> npt.NDArray[np.float64] | npt.NDArray[np.datetime64]:
        """The times in the order of rows; dates with a time zone in UTC."""
        if self.kind == "a number":
            return np.frombuffer(self._numbers, np.float64)
        return np.frombuffer(self._dates, np.int64).view("datetime64[us]")
