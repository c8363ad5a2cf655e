"""A row of a batch between two layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.nn.signature import Array

Image = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Row:
    """The numbers of one row, in an array or, where they are few, each in a variable.

    Arrays are a little longer than `size`, up to a whole number of vector registers: loops then
    need no remainder. In the extra places stand zeros.

    Args:
        name: the array, or what the variables' names start with.
        size: how many numbers.
        stored: how many places the array has.
        image: if they are those of an image (even one that has been flattened) its shape. Images
            lie in memory with the channels last, (height, width, channels); the array seen in
            that shape is called `<name>_hwc`.
        scalar: each number is a variable of its own, `<name>_0` and so on.
    """

    name: str
    size: int
    stored: int
    image: Image | None = None
    scalar: bool = False

    def at(self, index: int | str) -> str:
        """How the source writes one of the numbers."""
        return f"{self.name}_{index}" if self.scalar else f"{self.name}[{index}]"

    @property
    def order(self) -> Array:
        """Where each number stands, when they are counted as `nnrun.nn` does."""
        places = np.arange(self.size)
        if self.image is None:
            return places
        channels, height, width = self.image
        return places.reshape(height, width, channels).transpose(2, 0, 1).ravel()
