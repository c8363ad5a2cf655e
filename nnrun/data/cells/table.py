"""A table with a header."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from nnrun.data.cells.part import Part
from nnrun.data.cells.problems import Problems, UnseenCategories
from nnrun.spreadsheet import csv_line


class Table(ABC):
    """An open table, which is read once.

    `header` has the names of its columns; `unnamed` is that of a first one which the file does not
    name, and `other_separator` one found in its only name, which may be the true one. `sha256` is
    the digest of the file, or of what a table in memory holds, once all rows have been read.
    `rows_known` is the number of rows where it is known before they are read.
    `sheets` has the names of all sheets of a workbook, of which the first is the table.
    """

    path: Path
    header: tuple[str, ...]
    separator: str | None = None
    decimal = "."
    other_separator: str | None = None
    delimiter = ","
    unnamed: str | None = None
    rows_known: int | None = None
    sheets: Sequence[str] = ()
    _last: Sequence[str] | None = None

    @property
    @abstractmethod
    def sha256(self) -> str: ...

    @property
    def title(self) -> str:
        """The table in descriptions."""
        return self.path.name

    def problems(self, unseen: dict[str, UnseenCategories] | None = None) -> Problems:
        """An empty collection of mistakes, which says where in the table they are."""
        return Problems(self.path, unseen)

    @abstractmethod
    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        """The rows, part by part.

        Args:
            wanted: the names of columns, and whether they are of use as numbers.
            problems: collects mistakes in whole rows, which are left out.

        Raises: DataError where the rest cannot be read.
        """

    def rows(self, numbers: Container[str] = ()) -> Iterator[tuple[int, list[str]]]:
        """Each row with its line; columns among `numbers` have texts of numbers where they can.

        Raises: as `parts` does.
        """
        problems = self.problems()
        for part in self.parts({name: name in numbers for name in self.header}, problems):
            columns = [iter(part.columns[name]) for name in self.header]
            for line, cells in zip(part.lines, zip(*columns, strict=True), strict=True):
                self._last = cells
                yield int(line), list(cells)
            problems.raise_if_any()
        problems.raise_if_any()

    def rows_or_faults(self, numbers: Container[str] = ()) -> Iterator[tuple[int, list[str] | str]]:
        """Likewise, or what is wrong with a line that is no row."""
        return self.rows(numbers)

    def timed(self, names: Sequence[str]) -> set[str]:
        """Those of these columns that hold dates, some with a time of day.

        In text there are none: each cell is as it is written.
        """
        return set()

    @property
    def record(self) -> str:
        """The row that was read last, or the header, as text of a CSV file."""
        return csv_line(self._last or self.header)
