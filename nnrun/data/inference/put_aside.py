"""Rows that cannot be predicted, put aside with the reasons while the others are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from nnrun.characters import escaped
from nnrun.data.readers.cell_errors import Mistake
from nnrun.data.readers.columns import Problems
from nnrun.data.readers.csv_file import CsvFile
from nnrun.errors import DataError


class BadRows(Problems):
    """Mistakes by the rows that they are in.

    `total` is the number of rows with mistakes; `reasons` has those of the current batch, by line.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self.total = 0
        self.reasons: dict[int, list[str]] = {}

    def add(self, line: int, column: str, mistake: Mistake) -> None:
        super().add(line, column, mistake)
        self.total += line not in self.reasons
        text = f"{column}: {mistake.text}" if column else mistake.text
        self.reasons.setdefault(line, []).append(escaped(text, kept=""))

    def refuse_all(self, rows: int) -> None:
        """Raise a DataError with the mistakes if each of this many rows has one."""
        if self.total == rows and rows:
            self.raise_if_any(f"{self.path}: no row is left to predict: all {rows} have mistakes")


class CsvAside:
    """A CSV file with rows as they were, after columns for their line and what is wrong.

    Its separator is that of the input, so that it can be predicted itself once it is mended.
    """

    def __init__(self, file: BinaryIO, table: CsvFile) -> None:
        self.file = file
        self.delimiter = table.delimiter
        names = [_free(name, table.header) for name in ("line", "reason")]
        self._write(*names, table.record)

    def add(self, line: int, reasons: Sequence[str], text: str) -> None:
        """Write a row, with its line ends."""
        reason = "; ".join(reasons).replace('"', '""')
        self._write(str(line), f'"{reason}"', text)

    def _write(self, line: str, reason: str, text: str) -> None:
        end = "" if text.endswith(("\n", "\r")) else "\n"
        self.file.write(self.delimiter.join([line, reason, text + end]).encode())


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name
