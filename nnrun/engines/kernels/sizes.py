"""Functions of sizes alone: layouts of arrays, tasks, the choice of kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.nn.signature import Array

# The layout of weights for the kernels, and the tasks of a product.
#
# The units of a product are cut into strips as wide as a few registers. A strip is a matrix of its
# own, (inputs, width), and one follows the other: a product reads weights in memory order. Inputs
# and units are padded with zeros.
#
# All from sizes alone: neither the machine nor the number of threads has a say.

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


# Whether a product may skip zeros, and its tasks then, from sizes alone.

# Indices of a sum that share a mask, one bit each; this many rows of weights are copied at a time.
BLOCK = 64
# Zeros are skipped if at most this many of 100 numbers are not 0: with more, skipping takes longer.
SPARSE = 67
# Width of a tile: 8 registers of 64 bytes, 16 of 32.
_WIDEST, _CACHE_LINE = 512, 64  # bytes
# Below these sizes (bytes of a row, terms of a sum, products in all), looking for zeros takes more
# than a hundredth of the time even if there are none.
_NARROWEST, _FEWEST, _LEAST = 256, 16, 2**21
# Tasks of z = b + x w, and least rows of each: each task copies weights.
_SPARSE_TASKS, _SPARSE_ROWS = 4, 16


def may_skip_zeros(rows: int, terms: int, numbers: int, dtype: str) -> bool:
    """Whether skipping zeros may pay in a product of `rows` × `numbers` sums of `terms`."""
    is_wide = padded(numbers) * _size(dtype) >= _NARROWEST
    return is_wide and min(rows, terms) >= _FEWEST and rows * terms * numbers >= _LEAST


def columns(numbers: int, dtype: str) -> int:
    """The width of a tile: all tiles of a row are about as wide."""
    lines = padded(numbers) * _size(dtype) // _CACHE_LINE
    count = -(-lines * _CACHE_LINE // _WIDEST)
    return -(-lines // count) * (_CACHE_LINE // _size(dtype))


def tiles(numbers: int, dtype: str) -> int:
    """The number of tiles."""
    return -(-padded(numbers) // columns(numbers, dtype))


def sparse_rows(units: int, batch_size: int, dtype: str) -> int:
    """Rows of a task of z = b + x w."""
    return max(-(-batch_size // max(_SPARSE_TASKS // tiles(units, dtype), 1)), _SPARSE_ROWS)


def sparse_tasks(units: int, batch_size: int, dtype: str) -> int:
    """Tasks of it: the tiles of the first rows, and so on."""
    return tiles(units, dtype) * -(-batch_size // sparse_rows(units, batch_size, dtype))


def words(numbers: int) -> int:
    """Masks that this many numbers take."""
    return -(-numbers // BLOCK)


def product_places(columns: int) -> tuple[int, int]:
    """Start and end of the rows of weights after a row of zeros, in numbers."""
    return columns, (1 + BLOCK) * columns


def update_places(n: int, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Bytes of the masks of the rows of dw; where then, after a row of zeros, the columns of a
    factor begin, where the sums do, and where they end, in numbers.
    """
    near, sums = product_places(columns)
    return 8 * rows * ((n + BLOCK - 1) // BLOCK), near, sums, sums + rows * columns


def _size(dtype: str) -> int:
    return np.dtype(dtype).itemsize


# Whether convolutions use Winograd's transforms, from their sizes alone.

WINOGRAD_TILES = 56  # that are transformed before their products: four times a piece's rows
# A row more than there are tiles, so that the 16 places do not share a set of the cache.
PLACES = WINOGRAD_TILES + 1
WINOGRAD_ROWS = 8  # of the weights, that one task transforms
_CHANNELS = 16  # on both sides, below which the transforms cost more than they save


def uses_winograd(
    kernel: tuple[int, int], stride: tuple[int, int], stored: int, units: int
) -> bool:
    """Whether a convolution of x with `stored` channels uses them."""
    is_square = kernel == (3, 3) and stride == (1, 1)
    return is_square and stored >= _CHANNELS and stored % LEAST == 0 and units >= _CHANNELS
