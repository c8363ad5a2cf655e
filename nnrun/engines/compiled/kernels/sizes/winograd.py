"""Whether convolutions use Winograd's transforms, from their sizes alone."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.sizes.shapes import LEAST

BLOCK = 56  # tiles that are transformed before their products: four times the rows of a piece
# A row more than there are tiles, so that the 16 places do not share a set of the cache.
PLACES = BLOCK + 1
ROWS = 8  # of the weights, that one task transforms
_CHANNELS = 16  # on both sides, below which the transforms cost more than they save


def suits(kernel: tuple[int, int], stride: tuple[int, int], stored: int, units: int) -> bool:
    """Whether a convolution of x with `stored` channels uses them."""
    is_square = kernel == (3, 3) and stride == (1, 1)
    return is_square and stored >= _CHANNELS and stored % LEAST == 0 and units >= _CHANNELS
