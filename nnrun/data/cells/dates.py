"""Columns of dates while a table is read."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.cell_errors import (
    MISSING_NUMBERS,
    Mistake,
    about_missing,
    date_format_hint,
)
from nnrun.data.cells.problems import Problems
from nnrun.data.cells.reader import Cells
from nnrun.data.formats.dates import DateFormat, microseconds

_MISSING = np.iinfo(np.int64).min  # NaT


class DateCells(Cells):
    """A column of dates, all with a time zone or all without.

    Args:
        name: of the column.
        problems: collects mistakes.
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

    def is_missing(self, text: str) -> bool:
        """Whether the cell stands for a missing value."""
        return text.strip().lower() in MISSING_NUMBERS

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
