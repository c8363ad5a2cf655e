"""The layout of weights for the kernels, and the tasks of a product.

The units of a product are cut into strips as wide as a few registers. A strip is a matrix of its
own, (inputs, width), and one follows the other: a product reads weights in memory order. Inputs and
units are padded with zeros.

All from sizes alone: neither the machine nor the number of threads has a say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.nn.signature import Array

LEAST = 8  # numbers of a vector, in multiples of which channels are stored
_PADDING = 16
# Tasks of a product, if it is large enough: more than most machines have cores.
_TASKS = 16
# Rows of a batch that stay in the cache while they are reused.
ROWS = 256
_STRIP = 192  # bytes: three registers of 64, six of 32


def padded(size: int) -> int:
    """The next multiple of what all kernels may write beyond the last number of a row."""
    return (size + (_PADDING - 1)) // _PADDING * _PADDING


def vectors(channels: int) -> int:
    """Channels up to whole vectors."""
    return (channels + (LEAST - 1)) // LEAST * LEAST


def strip(dtype: str) -> int:
    """Columns of a product that make one task."""
    return _STRIP // np.dtype(dtype).itemsize


def size(inputs: int, units: int) -> int:
    """Numbers that the weights of a product take in memory."""
    return padded(inputs) * padded(units)


@dataclass(frozen=True)
class Strips:
    """The positions of a product's weights.

    Args:
        order: which of the stored inputs the layer's are, in its order; all by default.
    """

    inputs: int
    units: int
    dtype: str
    order: Array | None = None

    def copy_in(self, numbers: Array, memory: Array) -> None:
        """Copy the layer's weights, flat (inputs, units), into memory."""
        for strips, rows, weights in self._parts(numbers, memory):
            strips[:, rows] = weights

    def copy_out(self, memory: Array, numbers: Array) -> None:
        """Copy them back."""
        for strips, rows, weights in self._parts(numbers, memory):
            weights[...] = strips[:, rows]

    def _parts(self, numbers: Array, memory: Array) -> Iterator[tuple[Array, Any, Array]]:
        """The whole strips, and then the last one: in memory, and as the layer's weights."""
        wide, stored = strip(self.dtype), padded(self.inputs)
        count, left = divmod(self.units, wide)
        whole = count * wide
        matrix = numbers.reshape(-1, self.units)
        rows = slice(self.inputs) if self.order is None else self.order
        strips = memory[: stored * whole].reshape(count, stored, wide)
        yield strips, rows, matrix[:, :whole].reshape(len(matrix), count, wide).swapaxes(0, 1)
        if left:
            width = min(wide, padded(self.units) - whole)
            last = memory[stored * whole :][: stored * width].reshape(1, stored, width)
            yield last[..., :left], rows, matrix[None, :, whole:]


def strips(numbers: int, dtype: str) -> int:
    """The number of strips of a row."""
    return -(-padded(numbers) // strip(dtype))


def product_rows(units: int, batch_size: int, dtype: str) -> int:
    """Rows of a task of `product`: all, but fewer where there are few strips for many threads."""
    blocks = max(_TASKS // strips(units, dtype), 1)
    return min(padded(-(-batch_size // blocks)), ROWS)


def product_tasks(units: int, batch_size: int, dtype: str) -> int:
    """Tasks of `product`: the strips of units of the first rows, and so on."""
    rows = product_rows(units, batch_size, dtype)
    return strips(units, dtype) * -(-batch_size // rows)


def update_tasks(inputs: int, dtype: str) -> int:
    """Tasks of `product_back` and `product_update`: strips of inputs."""
    return strips(inputs, dtype)
