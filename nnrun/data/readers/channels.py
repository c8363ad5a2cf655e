"""Where an array of images has its channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

CHANNELS = ("first", "last")
# Grey, in colours, in colours with a transparent part; and the shortest side of an image.
_COUNTS, _SHORTEST = (1, 3, 4), 8


def channels_of(shape: tuple[int, ...]) -> str:
    """Whether images of this shape, with the rows, have their channels `first` or `last`.

    They are last if the last axis could count channels, the first of an image could not, and the
    other two are at least 8 pixels; else first.
    """
    if len(shape) != 4:
        return "first"
    _, one, two, three = shape
    last = three in _COUNTS and one not in _COUNTS and min(one, two) >= _SHORTEST
    return "last" if last else "first"


def channels_first(x: npt.NDArray[Any], channels: str) -> npt.NDArray[Any]:
    """The same images as (rows, channels, height, width); other rows as they are."""
    if channels == "first" or x.ndim != 4:
        return x
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
