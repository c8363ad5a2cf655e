"""The arrays that machine code works on: all of them come from here.

Machine code checks no bounds. Tests replace `unwritten` and `given` to put each array between pages
that fault when touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.nn.signature import Array

CACHE_LINE = 64


def unwritten(size: int, dtype: Any) -> Array:
    """An array at the start of a cache line; each of its numbers is written before it is read.

    Callers must not rely on what it holds: in tests it holds NaN.
    """
    kind = np.dtype(dtype)
    extra = CACHE_LINE // kind.itemsize
    array = np.empty(size + extra, kind)
    start = -address(array) % CACHE_LINE // kind.itemsize
    return array[start : start + size]


def zeros(size: int, dtype: Any) -> Array:
    """An array of zeros at the start of a cache line."""
    array = unwritten(size, dtype)
    array.fill(0)
    return array


def given(array: Array, dtype: Any) -> Array:
    """Numbers that exist already, row after row: the same array if it has that form."""
    return np.ascontiguousarray(array, dtype)


def address(array: Array) -> int:
    """The address of an array's first number."""
    return int(array.ctypes.data)
