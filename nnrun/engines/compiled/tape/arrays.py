"""Arrays by name, before there is memory for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.engines.compiled.kernels.sizes.shapes import padded
from nnrun.nn.signature import Array

Border = tuple[int, int, int, int]  # pixels of zeros above, below, left and right
NO_BORDER: Border = (0, 0, 0, 0)


@dataclass(frozen=True)
class Address:
    """A place in an array: this many numbers after its beginning.

    Arrays whose names begin with @ belong to the caller, and may differ from call to call.
    """

    block: str
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.block}+{self.offset}" if self.offset else self.block


@dataclass(frozen=True)
class Map:
    """One image, or one vector, for each row of a batch.

    A vector has one pixel. A map's channels lie together; padding channels
    hold zeros.

    Args:
        block: the array that it is in.
        offset: of the first channel of the upper left pixel within the border.
        row, line, pixel: how many numbers further the next one is.
        channels, height, width: of the image.
        border: of zeros, around each image.
    """

    block: str
    offset: int
    row: int
    line: int
    pixel: int
    channels: int
    height: int = 1
    width: int = 1
    border: Border = NO_BORDER

    @property
    def is_vector(self) -> bool:
        """Whether there is only one pixel."""
        return self.height == self.width == 1

    @property
    def size(self) -> int:
        """Numbers of the image, without padding."""
        return self.channels * self.height * self.width

    @property
    def stored(self) -> int:
        """Numbers of a row, without its border; of a single pixel those that are used."""
        return self.channels if self.is_vector else self.height * self.width * self.pixel

    @property
    def is_whole(self) -> bool:
        """Whether a row's lines follow one another without a border."""
        return self.is_vector or self.line == self.width * self.pixel

    @property
    def lying(self) -> Map:
        """Each row in memory order, without a border, as a vector."""
        assert self.is_whole
        return Map(self.block, self.offset, self.row, self.row, self.row, self.stored)

    @property
    def order(self) -> Array:
        """The position of each number, in the order of `nnrun.nn`, in a row without a border."""
        c, i, j = np.ogrid[: self.channels, : self.height, : self.width]
        return np.asarray((i * self.width + j) * self.pixel + c).ravel()

    def clear_around(self, memory: Array) -> None:
        """Write zeros to borders and padding in an array of such maps."""
        top, bottom, left, right = self.border
        lines, columns = top + self.height + bottom, left + self.width + right
        rows = memory.reshape(-1, self.row)
        rows[:, lines * self.line :] = 0
        pixels = rows[:, : lines * self.line].reshape(len(rows), lines, columns, self.pixel)
        pixels[:, :top] = 0
        pixels[:, top + self.height :] = 0
        pixels[:, :, :left] = 0
        pixels[:, :, left + self.width :] = 0
        pixels[..., self.channels :] = 0

    def named(self, name: str, *, down: int = 0, right: int = 0) -> dict[str, Address | int]:
        """The parameters of an op for this map, optionally from another pixel on."""
        start = self.offset + down * self.line + right * self.pixel
        return {**self.rows(name, start), f"{name}_line": self.line, f"{name}_pixel": self.pixel}

    def rows(self, name: str, start: int | None = None) -> dict[str, Address | int]:
        """The parameters for kernels that take rows."""
        offset = self.offset if start is None else start
        return {name: Address(self.block, offset), f"{name}_row": self.row}

    def lines(self, name: str) -> dict[str, Address | int]:
        """The parameters for kernels that take the numbers of a line in memory order."""
        return {**self.rows(name), f"{name}_line": self.line}

    @property
    def shape(self) -> dict[str, int]:
        """The parameters that say how large it is."""
        return {"channels": self.channels, "height": self.height, "width": self.width}

    @property
    def runs(self) -> dict[str, int]:
        """Lines and the numbers of each; a single one where they follow one another."""
        if self.is_whole:
            return {"lines": 1, "numbers": self.stored}
        return {"lines": self.height, "numbers": self.width * self.pixel}


def laid(block: str, pixel: int, sides: tuple[int, int, int], border: Border, itemsize: int) -> Map:
    """Images in an array of their own, with this many numbers from one pixel to the next."""
    channels, height, width = sides
    top, bottom, left, right = border
    line = (width + left + right) * pixel
    row = pitch((height + top + bottom) * line, itemsize)
    offset = top * line + left * pixel
    return Map(block, offset, row, line, pixel, channels, height, width, border)


def pitch(size: int, itemsize: int) -> int:
    """Numbers from one row to the next: whole cache lines, and no large power of two of bytes."""
    found = padded(size)
    return found + padded(1) if found * itemsize % 1024 == 0 else found
