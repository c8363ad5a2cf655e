"""Cells of a column while a table is read: numbers, labels, dates."""

from __future__ import annotations

import math
from array import array
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.columns.cell_errors import (
    MISSING_LABELS,
    Mistake,
    Problems,
    about_format,
    about_missing,
    about_number,
    about_unknown,
    date_format_hint,
)
from nnrun.data.columns.date_formats import DateFormat, microseconds
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.columns.table import Cells, Lines, Numbers, Texts
from nnrun.data.labels import all_numbers, canonical, label_number, number, ordered_classes

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
            message = f"'{text}' is not a date that is written as {self.form.shown()} is"
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
    value = number(text, decimal) if form.is_iso else None
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
        if not self.form.is_iso:
            hint = date_format_hint(text) if self.role == "split" else _AS_BEFORE
            return f" that is written as {self.form.shown()} is{hint}"
        if self.role == "input":
            return _AS_BEFORE
        return date_format_hint(text) or f"; {_FORMS}"

    def positions(self) -> npt.NDArray[np.float64] | npt.NDArray[np.datetime64]:
        """The times in the order of rows; dates with a time zone in UTC."""
        if self.kind == "a number":
            return np.frombuffer(self._numbers, np.float64)
        return np.frombuffer(self._dates, np.int64).view("datetime64[us]")


# Columns of categories or classes while a table is read.

MISSING = ""
"""The category for missing values."""
OTHER = "\udfff"
"""What stands for every category that is not among the known ones; no text in UTF-8 holds it."""


class LabelCells(Cells):
    """A column of categories.

    Args:
        known: the categories, if they are fixed.
        role: `category`, `target`, or `input`; see `about_number`.
        fills: whether missing values are a category of their own.
        by_value: whether the known categories are numbers, which may be spelled in other ways.
        decimal: the decimal sign of such numbers.
        what: the word for the known ones in messages.
        others: categories that are none of the known ones, as they were rare in training.
        stand_in: what is read in place of a category that is neither; None if it is a mistake.
    """

    missing = MISSING_LABELS

    def __init__(
        self,
        name: str,
        problems: Problems,
        known: Iterable[str] | None = None,
        role: str = "category",
        *,
        fills: bool = False,
        by_value: bool = False,
        decimal: str = ".",
        what: str = "categories",
        others: Container[str] = (),
        stand_in: str | None = None,
    ) -> None:
        self.name, self.problems, self.role, self.fills = name, problems, role, fills
        self.known = None if known is None else dict.fromkeys(known)
        self.by_value, self.decimal, self.what = by_value, decimal, what
        self.others, self.stand_in = others, stand_in
        self.lines: dict[str, int] = {}  # each text with the line where it is first seen
        self.numbers: dict[str, int] = {}
        self.values = array("q")

    def add(self, text: str, line: int) -> None:
        self.values.append(self._number(text, line))

    def _value(self, text: str) -> float | None:
        return label_number(text, self.decimal)  # a code is no number

    def _number(self, text: str, line: int) -> int:
        """The number of a cell's text among those that were read."""
        text = text.strip()
        if self.is_missing(text) and text not in (self.known or ()):
            if not self.fills:
                self.problems.add(line, self.name, about_missing(text, self.role))
            text = MISSING
        elif self.known is not None:
            text = canonical(text, self.decimal) if self.by_value else text
            if text not in self.known and text not in self.others:
                text = self._unseen(text, line)
        self.lines.setdefault(text, line)
        return self.numbers.setdefault(text, len(self.numbers))

    def extend(self, cells: Numbers | Texts, lines: Lines) -> None:
        """Each different text is looked at once, unless it is a mistake."""
        assert isinstance(cells, Texts), "it asked for texts"
        if self.known is not None:  # unseen categories are counted
            super().extend(cells, lines)
            return
        present, first = np.unique(cells.codes, return_index=True)
        numbers = np.zeros(len(cells.texts), np.int64)
        for code, row in sorted(
            zip(present.tolist(), first.tolist(), strict=True), key=itemgetter(1)
        ):
            text, found = cells.texts[code], len(self.problems)
            numbers[code] = self._number(text, int(lines[row]))
            if len(self.problems) > found:
                for again in np.flatnonzero(cells.codes == code)[1:]:
                    self._number(text, int(lines[again]))
        self.values.frombytes(numbers[cells.codes].tobytes())

    def _unseen(self, text: str, line: int) -> str:
        if self.stand_in is None:
            mistake = about_unknown(text, list(self.known or ()), self.what)
            self.problems.add(line, self.name, mistake)
            return text
        self.problems.add_unseen(self.name, text)
        return self.stand_in

    @property
    def holds_numbers(self) -> bool:
        """Whether all that was read is a number, so that it is compared and sorted by value."""
        return all_numbers(self._texts(), self.decimal)

    def ordered(self) -> tuple[str, ...]:
        """The categories in order, with the one for missing values last; or `known`, if given."""
        if self.known is not None:
            return tuple(self.known)
        last = (MISSING,) * (MISSING in self.numbers)
        return (*ordered_classes(self._texts(), self.decimal)[0], *last)

    def positions(self) -> npt.NDArray[np.int64]:
        """The index of each row's category among the ordered ones: (rows,).

        Of known categories, the index after the last one is that of all others.
        """
        order = self.ordered()
        names = {} if self.known is not None else ordered_classes(self._texts(), self.decimal)[1]
        place = {name: position for position, name in enumerate(order)}
        found = (place.get(names.get(text, text), len(order)) for text in self.numbers)
        table = np.fromiter(found, np.int64, len(self.numbers))
        return table[np.frombuffer(self.values, dtype=np.int64)]

    def check_numbers(self) -> None:
        """Report NaN and infinities if all labels are numbers."""
        if self.holds_numbers:
            for text in self._texts():
                if not math.isfinite(number(text, self.decimal) or 0):
                    mistake = Mistake("infinite", f"'{text}' is not a finite number")
                    self.problems.add(self.lines[text], self.name, mistake)

    def _texts(self) -> list[str]:
        return [text for text in self.numbers if text != MISSING]


# Columns of numbers while a table is read.

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
        if self.is_missing(text):
            return about_missing(text, self.role)
        if self.form is None:
            return about_number(text, self.role, self.decimal)
        return about_format(text, self.form.shown())

    def _number(self, text: str) -> float:
        """The number, or NaN if it is not one."""
        if self.words and self.is_missing(text):
            return math.nan
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
