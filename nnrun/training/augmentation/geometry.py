"""Images that are shifted, turned and mirrored, a whole batch at a time.

Only sums, products and comparisons are used, so that the bits are the same on every processor.
"""

from __future__ import annotations

from math import pi
from typing import NamedTuple

import numpy as np

from nnrun.nn.signature import Array

# An angle is halved so often before the series of sine and cosine, and doubled as often after it.
_HALVINGS = 5


class Moves(NamedTuple):
    """One move for each image: first the flip, then the turn about the centre, then the shift.

    Args:
        down, right: int64, (rows,), in pixels.
        flipped: whether left and right are exchanged, (rows,).
        degrees: of the turn, counterclockwise, (rows,); None for no turns.
    """

    down: Array
    right: Array
    flipped: Array
    degrees: Array | None


def moved(x: Array, moves: Moves) -> Array:
    """The images x (rows, channels, height, width), each moved.

    Turned images are interpolated between the four nearest pixels. Where the image has moved away,
    the pixels of its border are repeated.
    """
    return _shifted(x, moves) if moves.degrees is None else _turned(x, moves)


def _shifted(x: Array, moves: Moves) -> Array:
    """Without turns an image is a part of a larger one, whose border is repeated."""
    _, _, height, width = x.shape
    by = max(int(np.abs(shift).max(initial=0)) for shift in (moves.down, moves.right))
    framed = np.pad(x, ((0, 0), (0, 0), (by, by), (by, by)), mode="edge") if by else x
    found = np.empty_like(x)
    starts = np.stack([by - moves.down, by - moves.right, moves.flipped], axis=1).tolist()
    for row, (top, left, flipped) in enumerate(starts):
        image = framed[row, :, top : top + height]
        found[row] = (image[:, :, ::-1] if flipped else image)[:, :, left : left + width]
    return found


def _turned(x: Array, moves: Moves) -> Array:
    rows, channels, height, width = x.shape
    above, left = _sources(moves, height, width)
    top, first = np.floor(above), np.floor(left)
    # One more row and column, so that each pixel has a neighbour below and to the right.
    line = width + 1
    framed = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge").reshape(-1)
    places = (top * line + first).astype(np.int64).reshape(rows, 1, -1)
    size = (height + 1) * line
    places = places + np.arange(0, rows * channels * size, size).reshape(rows, channels, 1)
    right = (left - first).astype(x.dtype).reshape(rows, 1, -1)
    upper, lower = (_between(framed[start:], places, right) for start in (0, line))
    lower -= upper
    lower *= (above - top).astype(x.dtype).reshape(rows, 1, -1)
    upper += lower
    return upper.reshape(x.shape)


def _between(pixels: Array, places: Array, share: Array) -> Array:
    """Between the pixels at these places and their neighbours to the right, by a share."""
    # All places are in range, and without the check `take` is faster.
    one, other = (np.take(pixels[start:], places, mode="clip") for start in (0, 1))
    other -= one
    other *= share
    one += other
    return one


def _sources(moves: Moves, height: int, width: int) -> tuple[Array, Array]:
    """The rows and columns that pixels of moved images come from, (rows, height, width)."""
    assert moves.degrees is not None
    cos, sin = cos_and_sin(moves.degrees)
    middle, centre = (height - 1) / 2, (width - 1) / 2
    down = (np.arange(height) - middle - moves.down[:, None])[:, :, None]
    right = (np.arange(width) - centre - moves.right[:, None])[:, None, :]
    cos, sin = cos[:, None, None], sin[:, None, None]
    mirrored = np.where(moves.flipped, -1.0, 1.0)[:, None, None]
    above = cos * down + sin * right
    left = (mirrored * cos) * right - (mirrored * sin) * down
    above += middle
    left += centre
    return np.clip(above, 0, height - 1, out=above), np.clip(left, 0, width - 1, out=left)


def cos_and_sin(degrees: Array) -> tuple[Array, Array]:
    """Cosine and sine of angles up to 180°, by their series; the library's differ by processor."""
    t = degrees * (pi / 180 / 2**_HALVINGS)
    square = t * t
    cos = 1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56)))
    sin = t * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72))))
    for _ in range(_HALVINGS):
        cos, sin = cos * cos - sin * sin, 2 * sin * cos
    return cos, sin
