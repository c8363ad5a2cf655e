"""Arrays that are mapped from a file, also large ones that are made block by block."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import FileIO
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.systems import system

LARGE = 1 << 26
"""Bytes from which on an array is in a temporary file."""


class _Mapping(mmap.mmap):
    """A file that is mapped for reading, with its state then, to notice changes."""

    path: Path | None
    state: tuple[int, int, int]


def map_array(
    path: Path | None, file: IO[bytes], offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array | None:
    """The array at an offset of an open file, read-only; None where the system cannot map it.

    Without a path, no other process has the file.
    """
    with suppress(OSError, ValueError):
        mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapping.path, mapping.state = path, _state(os.fstat(file.fileno()))
        return np.ndarray(shape, dtype, buffer=mapping, offset=offset)
    return None


def is_mapped(array: Array) -> bool:
    """Whether an array is mapped from a file."""
    return _mapping_of(array) is not None


def check_unchanged(array: Array) -> None:
    """Raise a DataError if the file that an array is mapped from has been written to."""
    mapping = _mapping_of(array)
    if mapping is None or mapping.path is None:
        return
    try:
        now = _state(mapping.path.stat())
    except OSError:
        return  # removed or replaced: the mapping has the content that was there
    if now[0] == mapping.state[0] and now != mapping.state:
        raise DataError(f"{mapping.path}: has changed while it was in use; start again")


def release(array: Array) -> None:
    """Free the memory of a mapped array; pages that are needed again are read from the file."""
    mapping = _mapping_of(array)
    if mapping is not None:
        system.forget_pages(mapping)


def _mapping_of(array: Array) -> _Mapping | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, _Mapping) else None


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def kept(shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[Array]) -> Array:
    """An array of blocks of rows, which are taken one after the other.

    A large one is mapped from a temporary file without a name, which ends with the array or the
    process. It is read-only. Where there is no room for such a file, the array is in memory.
    """
    dtype = np.dtype(dtype)
    size = dtype.itemsize * prod(shape)
    file = _file_of(size) if size >= LARGE else None
    if file is None:
        return _filled(np.empty(shape, dtype), blocks)
    with file:
        return _in_file(file, shape, dtype, blocks)


def _file_of(size: int) -> FileIO | None:
    """A file without a name; None unless there is room for twice as many bytes."""
    with suppress(OSError):
        if shutil.disk_usage(tempfile.gettempdir()).free >= 2 * size:
            opened: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # its caller closes it
            file: FileIO = opened  # or on Windows a wrapper around one
            return file
    return None


def _in_file(
    file: FileIO, shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Iterable[Array]
) -> Array:
    for block in blocks:
        _all_of(np.ascontiguousarray(block, dtype), file.write)
    mapped = map_array(None, file, 0, shape, dtype)
    if mapped is not None:
        return mapped
    array = np.empty(shape, dtype)
    file.seek(0)
    _all_of(array, file.readinto)
    return array


def _all_of(rows: Array, move: Callable[[memoryview], int]) -> None:
    """Write rows to a file, or read them: each call does a part."""
    bytes_left = rows.reshape(-1).view(np.uint8).data
    while bytes_left:
        bytes_left = bytes_left[move(bytes_left) :]


def _filled(array: Array, blocks: Iterable[Array]) -> Array:
    start = 0
    for block in blocks:
        array[start : start + len(block)] = block
        start += len(block)
    return array
