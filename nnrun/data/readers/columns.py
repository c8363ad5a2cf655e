"""Columns of cells while a table is read."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.labels import all_numbers, canonical, number, ordered_classes
from nnrun.data.readers.cell_errors import (
    MISSING_LABELS,
    MISSING_NUMBERS,
    Mistake,
    about_missing,
    about_number,
    about_unknown,
)
from nnrun.errors import DataError

_LEAST_WEIGHT, _LARGEST_WEIGHT = 1e-50, 1e50

MISSING = ""
"""The category for missing values."""


class Problems:
    """Mistakes in a file, collected so that all are reported together.

    Mistakes of one kind in one column are reported once, at the first, with their number. At most
    `limit` different ones are reported; the rest is counted.
    """

    limit = 20

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._count: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], tuple[int, Mistake]] = {}

    def add(self, line: int, column: str, mistake: Mistake) -> None:
        """Add a mistake in a line and a column ("" for the whole row)."""
        key = column, mistake.kind
        self._count[key] += 1
        if len(self._first) < self.limit:
            self._first.setdefault(key, (line, mistake))

    def __bool__(self) -> bool:
        return bool(self._count)

    def raise_if_any(self, last: str = "") -> None:
        """Raise one DataError for all mistakes, followed by `last` if it is not empty."""
        shown = sorted(self._first, key=lambda key: self._first[key][0])
        others = self._count.total() - sum(self._count[key] for key in shown)
        lines = [self._line(*key) for key in shown]
        lines += [f"{self.path}: and {others} more like these"] if others else []
        lines += [last] if last else []
        if lines:
            raise DataError("\n".join(lines))

    def _line(self, column: str, kind: str) -> str:
        line, mistake = self._first[column, kind]
        more = self._count[column, kind] - 1
        where = "in this column" if column else "in other rows"
        count = f" ({more} more like it {where})" if more else ""
        hint = mistake.hint.replace("COLUMN", column)
        return escaped(f"{self._place(line, column)}: {mistake.text}{count}{hint}", kept="")

    def _place(self, line: int, column: str) -> str:
        return f"{self.path}:{line}:{column}" if column else f"{self.path}:{line}"


class TableProblems(Problems):
    """Mistakes in a table in memory, whose rows count from 0."""

    def __init__(self) -> None:
        super().__init__("the table")

    def _place(self, line: int, column: str) -> str:
        return f"row {line}, column '{column}'"


class NumberColumn:
    """A column of finite numbers.

    The role is `feature`, `target`, or `input`, as for `about_number`. With `fills` missing values
    are allowed; they become NaN, to be filled in later.
    """

    def __init__(
        self,
        name: str,
        problems: Problems,
        role: str = "feature",
        *,
        fills: bool = False,
        decimal: str = ".",
    ) -> None:
        self.name, self.problems, self.role = name, problems, role
        self.fills, self.decimal = fills, decimal
        self.values = array("d")

    def is_missing(self, text: str) -> bool:
        """Whether the cell stands for a missing value."""
        return text.strip().lower() in MISSING_NUMBERS

    def add(self, text: str, line: int) -> None:
        value = self._number(text)
        if not math.isfinite(value) and not (self.fills and self.is_missing(text)):
            mistake = about_number(text.strip(), self.role, self.decimal)
            self.problems.add(line, self.name, mistake)
        self.values.append(value)

    def _number(self, text: str) -> float:
        """The number, or NaN if it is not one."""
        if "_" in text or (self.decimal == "," and "." in text):
            return math.nan
        try:
            return float(text.replace(",", ".") if self.decimal == "," else text)
        except ValueError:
            return math.nan

    def features(self) -> npt.NDArray[np.float64]:
        """The column as one feature: (rows, 1)."""
        return np.frombuffer(self.values, dtype=np.float64)[:, None]


class WeightColumn(NumberColumn):
    """A column of the weights of rows: 0, or numbers whose fourth powers can be added up.

    Such powers stand in Matthews' correlation coefficient.
    """

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


class LabelColumn:
    """A column of categories.

    Args:
        name: of the column.
        problems: collects mistakes.
        known: the categories, if they are fixed.
        role: `category`, `target`, or `input`; see `about_number`.
        fills: whether missing values are a category of their own.
        by_value: whether the known categories are numbers, which may be spelled in other ways.
        decimal: the decimal sign of such numbers.
        what: the word for the known ones in messages.
    """

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
    ) -> None:
        self.name, self.problems, self.role, self.fills = name, problems, role, fills
        self.known = None if known is None else dict.fromkeys(known)
        self.by_value, self.decimal, self.what = by_value, decimal, what
        self.lines: dict[str, int] = {}  # each text with the line where it is first seen
        self.numbers: dict[str, int] = {}
        self.values = array("q")

    def is_missing(self, text: str) -> bool:
        """Whether the cell stands for a missing category."""
        return text.strip().lower() in MISSING_LABELS

    def add(self, text: str, line: int) -> None:
        text = text.strip()
        if self.is_missing(text) and text not in (self.known or ()):
            if not self.fills:
                self.problems.add(line, self.name, about_missing(text, self.role))
            text = MISSING
        elif self.known is not None:
            text = canonical(text, self.decimal) if self.by_value else text
            if text not in self.known:
                mistake = about_unknown(text, list(self.known), self.what)
                self.problems.add(line, self.name, mistake)
        self.lines.setdefault(text, line)
        self.values.append(self.numbers.setdefault(text, len(self.numbers)))

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
        """The index of each row's category among the ordered categories: (rows,)."""
        order = self.ordered()
        names = {} if self.known is not None else ordered_classes(self._texts(), self.decimal)[1]
        place = {name: position for position, name in enumerate(order)}
        table = np.array([place[names.get(text, text)] for text in self.numbers], dtype=np.int64)
        return table[np.frombuffer(self.values, dtype=np.int64)]

    def features(self) -> npt.NDArray[np.float64]:
        """The column one-hot encoded: (rows, categories)."""
        return np.equal(self.positions()[:, None], np.arange(len(self.ordered()))).astype(float)

    def check_numbers(self) -> None:
        """Report NaN and infinities if all labels are numbers."""
        if self.holds_numbers:
            for text in self._texts():
                if not math.isfinite(number(text, self.decimal) or 0):
                    mistake = Mistake("infinite", f"'{text}' is not a finite number")
                    self.problems.add(self.lines[text], self.name, mistake)

    def _texts(self) -> list[str]:
        return [text for text in self.numbers if text != MISSING]
