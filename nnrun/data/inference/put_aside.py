"""Rows that cannot be predicted, put aside with the reasons while the others are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nnrun.characters import escaped
from nnrun.data.cells.cell_errors import Mistake
from nnrun.data.cells.problems import IN_TEXT, Form, Problems
from nnrun.data.cells.table import Table
from nnrun.data.inference.npz_arrays import NpzArrays
from nnrun.nn.signature import Array


class BadRows(Problems):
    """Mistakes by the rows that they are in; `total` is the number of such rows."""

    def __init__(self, path: Path | str, form: Form = IN_TEXT) -> None:
        super().__init__(path, form=form)
        self.total = 0
        self._reasons: dict[int, list[str]] = {}

    def add(self, line: int, column: str, mistake: Mistake) -> None:
        super().add(line, column, mistake)
        self.total += line not in self._reasons
        text = f"{column}: {mistake.text}" if column else mistake.text
        self._reasons.setdefault(line, []).append(escaped(text, kept=""))

    def take(self) -> dict[int, list[str]]:
        """What is wrong, by line, since this was called last."""
        reasons, self._reasons = self._reasons, {}
        return reasons

    def refuse_all(self, rows: int) -> None:
        """Raise a DataError with the mistakes if each of this many rows has one."""
        if self.total == rows and rows:
            self.raise_if_any(f"{self.path}: no row is left to predict: all {rows} have mistakes")


class CsvAside:
    """A CSV file with rows as they were, after columns for their line and what is wrong.

    Its separator is that of the input, so that it can be predicted itself once it is mended.
    """

    def __init__(self, file: BinaryIO, table: Table) -> None:
        self.file = file
        self.delimiter = table.delimiter
        self._write(_free("line", table.header), _free("reason", table.header), table.record)

    def add(self, line: int, reasons: Sequence[str], text: str) -> None:
        """Write a row, with its line ends."""
        reason = "; ".join(reasons).replace('"', '""')
        self._write(str(line), f'"{reason}"', text)

    def _write(self, line: str, reason: str, text: str) -> None:
        end = "" if text.endswith(("\n", "\r")) else "\n"
        self.file.write(
            self.delimiter.join([line, reason, text + end]).encode(errors="surrogateescape")
        )


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


class NpzAside(NpzArrays):
    """An npz file with the arrays of the input for these rows, and arrays `row` and `reason`."""

    def put(self, arrays: Mapping[str, Array], reasons: Mapping[int, str], start: int) -> None:
        """Write rows of arrays that begin at row `start` of the file; reasons are by row."""
        rows = np.array(list(reasons), np.int64)
        found = {name: array[rows - start] for name, array in arrays.items()}
        self.add({**found, "row": rows, "reason": np.array([*reasons.values()], "U")})
