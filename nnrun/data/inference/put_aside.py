"""Rows that cannot be predicted, put aside with the reasons while the others are."""

from __future__ import annotations

import codecs
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.lib import format as npy

from nnrun.characters import escaped
from nnrun.data.columns.cell_errors import IN_TEXT, Form, Mistake, Problems
from nnrun.data.columns.table import Table
from nnrun.data.encodings import UTF_8
from nnrun.nn.signature import Array

# npz files that are written piece by piece.

# A fixed time stamp: the same arrays are always the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class NpzArrays:
    """Arrays of an archive that grow by rows; each waits in a temporary file."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._parts: dict[str, _Part] = {}
        self._closing = ExitStack()

    def add(self, arrays: Mapping[str, Array]) -> None:
        """Add rows to each of the arrays."""
        for name, array in arrays.items():
            if name not in self._parts:
                content = self._closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # closed with the others
                self._parts[name] = _Part(content)
            self._parts[name].add(array.astype("U") if array.dtype.kind == "O" else array)

    def close(self, *, complete: bool) -> None:
        """Write the archive, whose headers hold the number of rows, unless it is not complete."""
        with self._closing:
            if complete:
                self._assemble()

    def _assemble(self) -> None:
        with zipfile.ZipFile(self.file, "w") as archive:
            for name, part in self._parts.items():
                entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
                with archive.open(entry, "w", force_zip64=True) as stream:
                    part.write(stream)


class _Part:
    """An array in pieces, of one dtype but for texts, whose widths differ."""

    def __init__(self, content: IO[bytes]) -> None:
        self.content = content
        self.pieces: list[tuple[int, np.dtype[np.generic]]] = []
        self.row: tuple[int, ...] = ()

    def add(self, array: Array) -> None:
        self.row = array.shape[1:]
        if len(array) or not self.pieces:
            self.pieces.append((len(array), array.dtype))
        self.content.write(np.ascontiguousarray(array).tobytes())

    def write(self, stream: IO[bytes]) -> None:
        kinds = [kind for rows, kind in self.pieces if rows] or [self.pieces[0][1]]
        whole = np.result_type(*kinds)
        rows = sum(rows for rows, _ in self.pieces)
        header = npy.header_data_from_array_1_0(np.empty((0, *self.row), whole))
        header |= {"shape": (rows, *self.row), "fortran_order": False}
        npy.write_array_header_1_0(stream, header)
        self.content.seek(0)
        if set(kinds) == {whole}:
            shutil.copyfileobj(self.content, stream)
            return
        for rows, kind in self.pieces:
            piece = np.frombuffer(self.content.read(rows * kind.itemsize), kind)
            stream.write(piece.astype(whole).tobytes())


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

    Its separator is that of the input, and its encoding that of the training file, so that it can
    be predicted itself once it is mended.
    """

    def __init__(self, file: BinaryIO, table: Table, encoding: str) -> None:
        self.file = file
        # Only bytes that are not UTF-8 are surrogates; other encodings may lack a sign.
        errors = "surrogateescape" if encoding == UTF_8 else "backslashreplace"
        self._encoder = codecs.getincrementalencoder(encoding)(errors)
        self.delimiter = table.delimiter
        self._write(_free("line", table.header), _free("reason", table.header), table.record)

    def add(self, line: int, reasons: Sequence[str], text: str) -> None:
        """Write a row, with its line ends."""
        reason = "; ".join(reasons).replace('"', '""')
        self._write(str(line), f'"{reason}"', text)

    def _write(self, line: str, reason: str, text: str) -> None:
        end = "" if text.endswith(("\n", "\r")) else "\n"
        self.file.write(self._encoder.encode(self.delimiter.join([line, reason, text + end])))


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
