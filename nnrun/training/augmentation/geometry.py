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
    return _gathered(x, moves) if moves.degrees is None else _interpolated(x, moves)


def _gathered(x: Array, moves: Moves) -> Array:
    """Without turns every pixel comes from a single one."""
    _, channels, height, width = x.shape
    above = np.clip(np.arange(height) - moves.down[:, None], 0, height - 1)
    left = np.clip(np.arange(width) - moves.right[:, None], 0, width - 1)
    left = np.where(moves.flipped[:, None], width - 1 - left, left)
    places = above[:, :, None] * width + left[:, None, :]
    return _taken(x, places.reshape(len(x), 1, -1), channels).reshape(x.shape)


def _interpolated(x: Array, moves: Moves) -> Array:
    rows, channels, height, width = x.shape
    above, left = _sources(moves, height, width)
    above, left = np.clip(above, 0, height - 1), np.clip(left, 0, width - 1)
    top, first = np.floor(above), np.floor(left)
    # One more row and column, so that each pixel has a neighbour below and to the right.
    framed = np.empty((rows, channels, height + 1, width + 1), x.dtype)
    framed[:, :, :-1, :-1] = x
    framed[:, :, -1, :-1] = x[:, :, -1]
    framed[:, :, :, -1] = framed[:, :, :, -2]
    places = (top * (width + 1) + first).astype(np.int64).reshape(rows, 1, -1)
    down = (above - top).astype(x.dtype).reshape(rows, 1, -1)
    right = (left - first).astype(x.dtype).reshape(rows, 1, -1)
    upper, lower = (
        _between(
            _taken(framed, places + below, channels),
            _taken(framed, places + below + 1, channels),
            right,
        )
        for below in (0, width + 1)
    )
    return _between(upper, lower, down).reshape(x.shape)


def _between(one: Array, other: Array, share: Array) -> Array:
    """one + share · (other - one), written over `other`."""
    other -= one
    other *= share
    other += one
    return other


def _taken(x: Array, places: Array, channels: int) -> Array:
    """The pixels at places (rows, 1, pixels) of each channel: (rows, channels, pixels)."""
    size = x.shape[2] * x.shape[3]
    starts = np.arange(0, len(x) * channels * size, size).reshape(len(x), channels, 1)
    # All places are in range, and without the check `take` is faster.
    return np.take(x.reshape(-1), starts + places, mode="clip")


def _sources(moves: Moves, height: int, width: int) -> tuple[Array, Array]:
    """Where the pixels of the moved images come from: rows and columns, (rows, height, width)."""
    assert moves.degrees is not None
    cos, sin = cos_and_sin(moves.degrees)
    middle, centre = (height - 1) / 2, (width - 1) / 2
    down = (np.arange(height) - middle - moves.down[:, None])[:, :, None]
    right = (np.arange(width) - centre - moves.right[:, None])[:, None, :]
    cos, sin = cos[:, None, None], sin[:, None, None]
    mirrored = np.where(moves.flipped, -1.0, 1.0)[:, None, None]
    above = (cos * down + sin * right) + middle
    left = mirrored * (cos * right - sin * down) + centre
    return above, left


def cos_and_sin(degrees: Array) -> tuple[Array, Array]:
    """Cosine and sine of angles up to 180°, by their series; the library's differ by processor."""
    t = degrees * (pi / 180 / 2**_HALVINGS)
    square = t * t
    cos = 1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56)))
    sin = t * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72))))
    for _ in range(_HALVINGS):
        cos, sin = cos * cos - sin * sin, 2 * sin * cos
    return cos, sin
