"""Where convolutions are made by Winograd's transforms, from their sizes alone."""

from __future__ import annotations

BLOCK = 56  # tiles that are transformed before their products: four times the rows of a piece
ROWS = 8  # of the weights, that one task transforms
_LEAST = 16  # channels on both sides, below which the transforms cost more than they save
_VECTOR = 8  # numbers


def suits(kernel: tuple[int, int], stride: tuple[int, int], stored: int, units: int) -> bool:
    """Whether a convolution of x with `stored` channels is made so."""
    is_square = kernel == (3, 3) and stride == (1, 1)
    return is_square and stored >= _LEAST and stored % _VECTOR == 0 and units >= _LEAST


def scratch(channels: int, units: int, itemsize: int) -> int:
    """Bytes that the kernels need for so many stored channels of x and y."""
    transformed = 16 * (BLOCK + 1) * (channels + units) * itemsize
    tables = (8 + itemsize) * max(channels, units)
    return transformed + tables + 16 * channels * units * itemsize + 4096
