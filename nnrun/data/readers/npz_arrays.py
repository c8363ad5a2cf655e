"""The arrays of an npz file. Nothing is unpickled; large ones are mapped and not read.

An array is allocated only if the archive really has as many bytes as its header says.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from nnrun.data.memory import refuse_if_too_big
from nnrun.data.readers.opening import damage_errors, open_data, refuse_bytes_before
from nnrun.data.rows.mapped import LARGE, kept, map_array
from nnrun.data.rows.raw import block_rows
from nnrun.errors import DataError, first_of
from nnrun.nn.signature import Array

_LONGEST_HEADER, _DEEPEST_HEADER = 10_000, 100
# Smaller arrays are read, so that nothing depends on the file any more.
_MAPPED = 1 << 24
_LOCAL_HEADER, _MAGIC = "<4s22xHH", b"PK\x03\x04"
_ENCRYPTED = 1
_NESTING = (b"(", b"[", b"{", b"-", b"+", b"~")

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    KeyError,
    OverflowError,
    RuntimeError,  # encrypted, or a compression method that is not known
    ValueError,
)
npz_errors = partial(damage_errors, what="npz", kinds=_DAMAGE)
"""Turns the errors of a damaged archive into a DataError with its name."""


def held_names(path: Path) -> str:
    """The end of a message: the arrays of the file, and how to name them."""
    with open_data(path) as file:
        names = names_in(path, file)
    if not names:
        return "; it holds no arrays at all"
    return f"; its arrays are {', '.join(first_of(names))}: np.savez(file, x=…, y=…) names them"


def names_in(path: Path, file: BinaryIO) -> list[str]:
    """The names of all arrays of an open file."""
    with npz_errors(path), zipfile.ZipFile(file) as archive:
        refuse_bytes_before(path, archive)
        return [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Those of these arrays that the file has; large uncompressed ones are mapped, read-only."""
    with open_data(path) as file:
        return arrays_in(path, file, names)


def arrays_in(path: Path, file: BinaryIO, names: Sequence[str]) -> dict[str, Array]:
    """The same of an open file, which its path names in errors."""
    found: dict[str, Array] = {}
    with npz_errors(path), zipfile.ZipFile(file) as archive:
        refuse_bytes_before(path, archive)
        _check_doubles(path, archive)
        held = [n for n in names if f"{n}.npy" in archive.namelist()]
        headers = {name: checked_header(path, archive, name) for name in held}
        for name, header in headers.items():
            mapped = _map(path, file, archive, name, header)
            if mapped is not None:
                found[name] = mapped
        rest = [name for name in held if name not in found]
        refuse_if_too_big(sum(headers[name].size for name in rest), str(path))
        return found | {name: _read(archive, name, headers[name]) for name in rest}


def _check_doubles(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise a DataError if two entries are one array: readers differ in which of them counts."""
    counts = Counter(name.removesuffix(".npy") for name in archive.namelist())
    for name, count in counts.items():
        if count > 1:
            message = f"the archive has {count} entries of this name; save the arrays again"
            raise DataError(f"{path}: {name}: {message}")


def _map(
    path: Path, file: BinaryIO, archive: zipfile.ZipFile, name: str, header: Header
) -> Array | None:
    """An array mapped from the archive, checked against its CRC; None for one to be read."""
    member = archive.getinfo(f"{name}.npy")
    stored = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & _ENCRYPTED
    if not stored or header.by_columns or header.size < _MAPPED or header.dtype.kind not in "buif":
        return None
    with archive.open(member) as stream:
        read_header(stream)
        start = stream.tell()
        while stream.read(1 << 20):  # at the end zipfile compares the CRC
            pass
    place = file.tell()
    file.seek(member.header_offset)
    magic, named, extra = struct.unpack(_LOCAL_HEADER, file.read(struct.calcsize(_LOCAL_HEADER)))
    file.seek(place)
    if magic != _MAGIC:
        return None
    begin = member.header_offset + struct.calcsize(_LOCAL_HEADER) + named + extra
    return map_array(path, file, begin + start, header.shape, header.dtype)


def _read(archive: zipfile.ZipFile, name: str, header: Header) -> Array:
    """A whole array; nothing is unpickled."""
    with archive.open(f"{name}.npy") as stream:
        if header.size < LARGE or header.by_columns or header.dtype.kind not in "buif":
            array: Array = npy.read_array(stream, allow_pickle=False)
            return array
        read_header(stream)
        rows = (np.frombuffer(block, header.dtype) for block in _blocks(stream, header))
        shape = header.shape[1:]
        return kept(header.shape, header.dtype, (row.reshape(-1, *shape) for row in rows))


def _blocks(stream: IO[bytes], header: Header) -> Iterator[bytes]:
    """The bytes of the rows, some at a time."""
    step = block_rows(header.shape[1:])
    width = header.size // header.shape[0]
    for start in range(0, header.shape[0], step):
        size = width * min(step, header.shape[0] - start)
        block = stream.read(size)
        while len(block) < size:  # at the end zipfile compares the CRC
            more = stream.read(size - len(block))
            if not more:
                raise EOFError("an array ends too early")
            block += more
        yield block


class Header(NamedTuple):
    """What an archive says of an array; by columns is in Fortran order."""

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def checked_header(path: Path, archive: zipfile.ZipFile, name: str) -> Header:
    """The header of an array; raises a DataError unless the archive has as many bytes."""
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as stream:
        header = read_header(stream)
        there = member.file_size - stream.tell()
    if header.dtype.hasobject:
        message = "holds Python objects, which would have to be unpickled; save it as numbers"
        raise DataError(f"{path}: {name}: {message}")
    if there != header.size:
        message = f"says it has shape {header.shape}, {header.size} bytes, and has {there}"
        raise DataError(f"{path}: {name}: {message}")
    return header


def read_header(stream: IO[bytes]) -> Header:
    """The header of the array that follows in a stream."""
    version = npy.read_magic(stream)
    width, form = (2, "<H") if version == (1, 0) else (4, "<I")
    length = stream.read(width)
    (size,) = struct.unpack(form, length)
    content = stream.read(min(size, _LONGEST_HEADER))
    # Python's parser recurses for each of these, and headers need only a few.
    if size > _LONGEST_HEADER or sum(map(content.count, _NESTING)) > _DEEPEST_HEADER:
        raise ValueError("a header is no array's")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(io.BytesIO(length + content))
    except (SyntaxError, TypeError, tokenize.TokenError) as error:
        raise ValueError(f"a header is no array's: {error}") from error
    if any(isinstance(side, bool) or side < 0 for side in shape):
        raise ValueError(f"an array cannot have the shape {shape}")
    return Header(shape, fortran, dtype)
