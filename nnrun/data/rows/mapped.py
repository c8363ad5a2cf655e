"""Arrays that are mapped from a file and not read into memory."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from nnrun.errors import DataError
from nnrun.systems import system

Array = npt.NDArray[Any]


class _Mapping(mmap.mmap):
    """A file that is mapped for reading, with what tells whether it has changed since."""

    path: Path | None
    state: tuple[int, int, int]


def map_array(
    path: Path | None, file: IO[bytes], offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array | None:
    """The array at an offset of an open file, read-only; None where the system cannot map it.

    Without a path, the file is nobody else's.
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
    """Let go of the memory of a mapped array; what is needed again comes from the file."""
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
