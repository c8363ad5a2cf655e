"""Arrays that are made block by block; large ones are kept in a file and not in memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

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
    size = dtype.itemsize * int(np.prod(shape))
    if size < LARGE or not _has_room(2 * size):
        return _filled(np.empty(shape, dtype), 0, blocks)
    with tempfile.TemporaryFile(buffering=0) as file:
        return _in_file(file, shape, dtype, iter(blocks))


def _in_file(
    file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Iterator[Array]
) -> Array:
    written, left = 0, list[Array]()
    for block in blocks:
        rows = np.ascontiguousarray(block, dtype)
        try:
            file.write(rows.data)
        except OSError:  # others have filled the disk
            left = [rows]
            break
        written += len(rows)
    mapped = None if left else map_array(None, file, 0, shape, dtype)
    if mapped is not None:
        return mapped
    array = np.empty(shape, dtype)
    file.seek(0)
    file.readinto(array[:written].data.cast("B"))  # type: ignore[attr-defined]  # typeshed
    return _filled(array, written, chain(left, blocks))


def _filled(array: Array, start: int, blocks: Iterable[Array]) -> Array:
    for block in blocks:
        array[start : start + len(block)] = block
        start += len(block)
    return array


def _has_room(size: int) -> bool:
    """Whether a temporary file may have so many bytes."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free >= size
    except OSError:
        return False
