"""Arrays that are made block by block; large ones are kept in a file and not in memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import FileIO
from itertools import chain
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.rows.mapped import map_array

Array = npt.NDArray[Any]

LARGE = 1 << 26
"""Bytes from which on an array is in a temporary file."""


def kept(shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[Array]) -> Array:
    """An array of blocks of rows, which are taken one after the other.

    A large one is mapped from a temporary file without a name, which ends with the array or the
    process. It is read-only. Where there is no room for such a file, the array is in memory.
    """
    dtype = np.dtype(dtype)
    size = dtype.itemsize * prod(shape)
    file = _file_of(size) if size >= LARGE else None
    if file is None:
        return _filled(np.empty(shape, dtype), 0, blocks)
    with file:
        return _in_file(file, shape, dtype, iter(blocks))


def _file_of(size: int) -> FileIO | None:
    """A file without a name; None unless there is room for twice as many bytes."""
    with suppress(OSError):
        if shutil.disk_usage(tempfile.gettempdir()).free >= 2 * size:
            opened: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # its caller closes it
            file: FileIO = opened  # or on Windows a wrapper around one
            return file
    return None


def _in_file(
    file: FileIO, shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Iterator[Array]
) -> Array:
    written, left = 0, list[Array]()
    for block in blocks:
        rows = np.ascontiguousarray(block, dtype)
        try:
            _all_of(rows, file.write)
        except OSError:  # others have filled the disk
            left = [rows]
            break
        written += len(rows)
    mapped = None if left else map_array(None, file, 0, shape, dtype)
    if mapped is not None:
        return mapped
    array = np.empty(shape, dtype)
    file.seek(0)
    _all_of(array[:written], file.readinto)
    return _filled(array, written, chain(left, blocks))


def _all_of(rows: Array, move: Callable[[memoryview], int]) -> None:
    """Write rows to a file, or read them: each call does a part."""
    bytes_left = rows.reshape(-1).view(np.uint8).data
    while bytes_left:
        bytes_left = bytes_left[move(bytes_left) :]


def _filled(array: Array, start: int, blocks: Iterable[Array]) -> Array:
    for block in blocks:
        array[start : start + len(block)] = block
        start += len(block)
    return array
