"""The memory of machine code."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.engines.allocation import CACHE_LINE, address, unwritten


def read_only():
    array = np.arange(5.0)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [np.arange(5.0), np.arange(5.0)[2:], np.arange(6.0).reshape(2, 3).T, np.empty(0), read_only()],
    ids=["whole", "part", "transposed", "empty", "read-only"],
)
def test_an_address_is_that_of_the_first_number(array):
    """Also of arrays that cannot be written, or have no numbers."""
    assert array.ctypes.data == address(array)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8"])
def test_arrays_begin_with_a_cache_line(dtype):
    """Whatever their size and type."""
    for size in (1, 7, 64, 1000):
        array = unwritten(size, dtype)
        assert (0, size) == (address(array) % CACHE_LINE, len(array))
