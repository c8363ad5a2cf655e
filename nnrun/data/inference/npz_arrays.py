"""npz files that are written piece by piece."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from typing import IO, BinaryIO

import numpy as np
from numpy.lib import format as npy

from nnrun.nn.signature import Array

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
