"""Whether a product may skip zeros, and its tasks then, from sizes alone."""

from __future__ import annotations

import numpy as np

from nnrun.engines.compiled.kernels.sizes.shapes import padded

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
_TASKS, _ROWS = 4, 16


def suits(rows: int, terms: int, numbers: int, dtype: str) -> bool:
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


def product_rows(units: int, batch_size: int, dtype: str) -> int:
    """Rows of a task of z = b + x w."""
    return max(-(-batch_size // max(_TASKS // tiles(units, dtype), 1)), _ROWS)


def product_tasks(units: int, batch_size: int, dtype: str) -> int:
    """Tasks of it: the tiles of the first rows, and so on."""
    return tiles(units, dtype) * -(-batch_size // product_rows(units, batch_size, dtype))


def words(numbers: int) -> int:
    """Masks that this many numbers take."""
    return -(-numbers // BLOCK)


def product_places(columns: int) -> tuple[int, int]:
    """Where the rows of weights begin after a row of zeros, and where they end, in numbers."""
    return columns, (1 + BLOCK) * columns


def update_places(n: int, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Bytes of the masks of the rows of dw; where then, after a row of zeros, the columns of a
    factor begin, where the sums do, and where they end, in numbers.
    """
    near, sums = product_places(columns)
    return 8 * rows * ((n + BLOCK - 1) // BLOCK), near, sums, sums + rows * columns


def _size(dtype: str) -> int:
    return np.dtype(dtype).itemsize
