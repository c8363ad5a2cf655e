"""CSV and TSV files."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from nnrun.data.cells.part import Part
from nnrun.data.cells.problems import Problems
from nnrun.data.readers.tables.table import Table
from nnrun.data.readers.text.csv_file import CsvFile
from nnrun.data.readers.text.csv_parts import csv_parts


class CsvTable(Table):
    """A CSV file.

    Args:
        path: of the file.
        file: open, without its compression.
        separator: None to detect it from the header.
        decimal: the decimal sign.
        size: the least size that it may have; of small files nothing is read by machine code.
        sha256: of a compressed file; by default that of what is read.
        options: of `CsvFile`.
    """

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        separator: str | None = None,
        decimal: str = ".",
        size: int = 0,
        sha256: Callable[[], str] | None = None,
        **options: Any,
    ) -> None:
        self.path, self.separator, self.decimal = path, separator, decimal
        self.file = CsvFile(path, file, separator, **options)
        self.delimiter = self.file.delimiter
        self.header, self.other_separator = self.file.header, self.file.other_separator
        self.unnamed = self.file.unnamed
        self._size, self._sha256 = size, sha256

    @property
    def sha256(self) -> str:
        return self.file.sha256 if self._sha256 is None else self._sha256()

    def parts(self, wanted: Mapping[str, bool], problems: Problems) -> Iterator[Part]:
        return csv_parts(self.file, wanted, problems, self.decimal, self._size)

    def rows(self, numbers: Container[str] = ()) -> Iterator[tuple[int, list[str]]]:
        return self.file.rows()

    def rows_or_faults(self, numbers: Container[str] = ()) -> Iterator[tuple[int, list[str] | str]]:
        return self.file.rows_or_faults()

    @property
    def record(self) -> str:
        return self.file.record
