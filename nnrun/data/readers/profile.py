"""A survey of a table and its columns, from which a first config is made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nnrun.data.cells.cell_errors import (
    MISSING_LABELS,
    MISSING_NUMBERS,
    is_date,
    is_decimal_comma,
)
from nnrun.data.labels import is_code, number
from nnrun.data.readers.csv_file import SEPARATORS
from nnrun.data.readers.tables.csv_table import CsvTable
from nnrun.data.readers.tables.opening import open_table
from nnrun.data.readers.tables.table import Table
from nnrun.errors import DataError

Kind = Literal[
    "number", "category", "constant", "counter", "date", "mixed", "code", "text", "empty"
]

MOST_CATEGORIES = 20
_MOST_KEPT = 1000


@dataclass(eq=False)
class ColumnProfile:
    """Counts of a column's cells; `values` has the first different ones, with their numbers."""

    name: str
    values: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    missing: int = 0
    numbers: int = 0
    infinite: int = 0
    whole: int = 0
    codes: int = 0
    dates: int = 0
    different: int = 0
    low: float = math.inf
    high: float = -math.inf
    odd: str = ""
    """The first cell that is neither a number nor missing."""

    def add(self, text: str, decimal: str) -> None:
        """Count a cell."""
        self.rows += 1
        if text.lower() in MISSING_NUMBERS:
            self.missing += 1
        value = number(text.replace(",", ".") if decimal == "," and "." not in text else text)
        if value is not None and math.isfinite(value):
            self.numbers += 1
            self.whole += isinstance(value, int)
            self.codes += is_code(text)
            self.low, self.high = min(self.low, value), max(self.high, value)
        elif text.lower() not in MISSING_NUMBERS:
            self.odd = self.odd or text
            self.infinite += value is not None
            self.dates += is_date(text)
        if text in self.values:
            self.values[text] += 1
        else:
            self.different += 1
            if len(self.values) < _MOST_KEPT:
                self.values[text] = 1

    @property
    def labels(self) -> dict[str, int]:
        """The values that may be categories, without those for missing values."""
        return {text: n for text, n in self.values.items() if text.lower() not in MISSING_LABELS}

    @property
    def holds_codes(self) -> bool:
        """Whether all are numbers to look at, and some have a zero in front, as 007 has."""
        return self.codes > 0 and self.numbers == self.rows - self.missing

    @property
    def kind(self) -> Kind:
        """The kind of data that the column seems to hold."""
        present = self.rows - self.missing
        if not present:
            return "empty"
        if self.dates == present:
            return "date"
        if self.holds_codes:
            return self._kind_of_words("code")
        if self.numbers == present:
            return self._kind_of_numbers(present)
        if self.numbers > present / 2 or self.numbers + self.infinite == present:
            return "mixed"
        return self._kind_of_words("text")

    def _kind_of_words(self, many: Kind) -> Kind:
        """That of cells that are compared as text; `many` where they are too many categories."""
        if len(self.labels) == 1 and not self.missing:
            return "constant"
        return "category" if self.different <= MOST_CATEGORIES else many

    def _kind_of_numbers(self, present: int) -> Kind:
        if self.low == self.high and not self.missing:
            return "constant"
        counted = self.whole == present == self.different and self.high - self.low == present - 1
        return "counter" if counted and present > 2 else "number"


@dataclass(frozen=True)
class Survey:
    """A file and its columns, in order; `separator` is None if it is detected from the header."""

    path: Path
    separator: str | None
    decimal: str
    columns: list[ColumnProfile]
    rows: int


def survey(path: Path) -> Survey:
    """Read the table in a file and count its cells.

    Raises: DataError if it is not a table with a header and rows of equal length.
    """
    with open_table(path) as table:
        separator = table.other_separator
    with open_table(path, separator) as table:
        decimal = _decimal(table)
    with open_table(path, separator, decimal) as table:
        columns, rows = [ColumnProfile(name) for name in table.header], 0
        for line, cells in table.rows():
            rows += 1
            if len(cells) != len(columns):
                seen = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
                raise DataError(f"{path}:{line}: has {seen} where the header has {len(columns)}")
            for column, cell in zip(columns, cells, strict=True):
                column.add(cell.strip(), decimal)
    if not rows:
        raise DataError(f"{path}: there are no rows below the header")
    return Survey(path, separator, decimal, columns, rows)


def _decimal(table: Table) -> str:
    """A comma if more cells are numbers with a decimal comma than with a point, else a point.

    Numbers of other files than text have a point.
    """
    if not isinstance(table, CsvTable) or table.file.delimiter == SEPARATORS[","]:
        return "."
    commas = points = 0
    for _, cells in table.rows():
        for cell in cells:
            commas += is_decimal_comma(cell.strip())
            points += "." in cell and number(cell) is not None
    return "," if commas > points else "."
