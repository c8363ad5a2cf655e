"""How weights lie in memory for the kernels, and into how many tasks a product is cut.

All from sizes alone: neither the machine nor the number of threads has a say.
"""

from __future__ import annotations

import numpy as np

from nnrun.nn.signature import Array

_PADDING = 16
_STRIP = 192  # bytes


def padded(size: int) -> int:
    """The next multiple of what all kernels may write beyond the last number of a row."""
    return -(-size // _PADDING) * _PADDING


def strip(dtype: str) -> int:
    """Columns of a product that make one task."""
    return _STRIP // np.dtype(dtype).itemsize


def size(inputs: int, units: int, dtype: str) -> int:
    """Numbers that the weights of a product take in memory."""
    return padded(inputs) * padded(units)


def positions(inputs: int, units: int, dtype: str) -> Array:
    """Where each weight stands, (inputs, units)."""
    return np.arange(inputs)[:, None] * padded(units) + np.arange(units)


def product_tasks(inputs: int, units: int, dtype: str) -> int:
    """Tasks of `product`, strips of units."""
    return -(-padded(units) // strip(dtype))


def update_tasks(inputs: int, units: int, dtype: str) -> int:
    """Tasks of `product_back` and `product_update`, strips of inputs."""
    return -(-padded(inputs) // strip(dtype))
