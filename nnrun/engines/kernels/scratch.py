"""Scratch memory of kernels, one for each thread.

Each function returns the bytes of a kernel's pieces from its parameters: kernels call it for their
layout, and a tape allocates as much as its calls need.
"""

from __future__ import annotations

from typing import Any

from nnrun.engines.kernels import sizes
from nnrun.engines.kernels.sizes import PLACES

# Bytes of the widest piece of a row that stays in registers: two of 64 bytes.
ZEROS = 128
PIECE = 512  # numbers that are put down before they replace others
STRIPS = 4  # this many strips of weights are multiplied by while they are near to the processor
_ENTRY = 8  # of a table

Integer = Any  # an int, in kernels one of LLVM's


def lines(length: Integer) -> Integer:
    """A length rounded up to whole cache lines, in bytes."""
    return (length + 63) & -64


def total(pieces: tuple[int, ...]) -> int:
    """Bytes of all pieces; each begins at a cache line."""
    return sum(map(lines, pieces))


def convolve(kh: Integer, kw: Integer, channels: Integer) -> tuple[Integer, ...]:
    """Zeros, and the table of taps."""
    return ZEROS, kh * kw * channels * _ENTRY


def convolve_back(units: Integer) -> tuple[Integer, ...]:
    """The table of units."""
    return (units * _ENTRY,)


def winograd(
    x_pixel: Integer, units: Integer, channels: Integer, itemsize: int
) -> tuple[Integer, ...]:
    """Zeros, the table of channels, tiles of x and of y, and pixels that y has not."""
    x_row, y_row = x_pixel * itemsize, units * itemsize
    zeros = x_row + y_row + ZEROS
    return zeros, channels * _ENTRY, 16 * PLACES * x_row, 16 * PLACES * y_row, y_row


def winograd_weights(
    x_pixel: Integer, units: Integer, channels: Integer, itemsize: int
) -> tuple[Integer, ...]:
    """Zeros, the table of channels, tiles of x and of dy, and du."""
    x_row, y_row = x_pixel * itemsize, units * itemsize
    zeros = x_row + y_row + ZEROS
    places = 16 * PLACES
    return zeros, channels * _ENTRY, places * x_row, places * y_row, 16 * channels * y_row


def product_back(itemsize: int) -> tuple[int, ...]:
    """Some strips of weights, turned."""
    return (STRIPS * _strip(itemsize) ** 2 * itemsize,)


def product_update(itemsize: int) -> tuple[int, ...]:
    """The sums of a strip of inputs by a strip of units."""
    return (_strip(itemsize) ** 2 * itemsize,)


def sparse_product(columns: int, itemsize: int) -> tuple[int, ...]:
    """Zeros, and weights."""
    return (sizes.product_places(columns)[1] * itemsize,)


def sparse_product_update(n: int, rows: int, columns: int, itemsize: int) -> tuple[int, ...]:
    """Masks, zeros, rows of dz, and sums."""
    masks, _, _, end = sizes.update_places(n, rows, columns)
    return (masks + end * itemsize,)


def pointwise(itemsize: int) -> tuple[int, ...]:
    """A piece of a line."""
    return (PIECE * itemsize,)


def _strip(itemsize: int) -> int:
    return sizes.strip(f"float{8 * itemsize}")
