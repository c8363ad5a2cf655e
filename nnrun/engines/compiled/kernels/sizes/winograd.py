"""Whether convolutions use Winograd's transforms, from their sizes alone."""

from __future__ import annotations

BLOCK = 56  # tiles that are transformed before their products: four times the rows of a piece
ROWS = 8  # of the weights, that one task transforms
_LEAST = 16  # channels on both sides, below which the transforms cost more than they save
_VECTOR = 8  # numbers


def suits(kernel: tuple[int, int], stride: tuple[int, int], stored: int, units: int) -> bool:
    """Whether a convolution of x with `stored` channels uses them."""
    is_square = kernel == (3, 3) and stride == (1, 1)
    return is_square and stored >= _LEAST and stored % _VECTOR == 0 and units >= _LEAST
