"""Arrays as pictures: images of a data set, weights, filters.

PNGs are stored without compression, since compressed bytes differ between versions of zlib, and the
same numbers have to give the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt

from nnrun.reports.charts.chart import GREYS, RED_BLUE, ramp, rgb

_SHADES = 15
_BLANK = "#a0a0a0"
_LONGEST = 96
_BLOCK = 65_535

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """An image as a data URI, with its description.

    `ramp` is whether its colours stand for numbers; pages invert these where they are dark.
    """

    source: str
    width: int
    height: int
    label: str
    ramp: bool = False


def grey_picture(values: npt.NDArray[np.generic], label: str) -> Picture:
    """An image (channels, height, width) or (height, width), its largest value white.

    Three channels are shown as colours; of any other number of channels, the mean is shown.
    """
    pixels = np.asarray(values, np.float64)
    if pixels.ndim == 3 and pixels.shape[0] == 3:
        shares = np.nan_to_num(_share(pixels))
        return _bytes_picture(np.rint(shares * 255).astype(np.uint8), label)
    if pixels.ndim == 3:
        pixels = pixels.mean(axis=0)
    return shaded_picture(_share(pixels), GREYS, label)


def photograph(pixels: npt.NDArray[np.uint8], label: str) -> Picture:
    """The bytes of an image (1 or 3 channels, height, width) as they are, smaller if it is large.

    Blocks of so many pixels that no side is longer than 96 become their mean.
    """
    means, block = block_means(pixels, _LONGEST)
    return _bytes_picture(np.rint(means).astype(np.uint8) if block > 1 else pixels, label)


def block_means(maps: npt.NDArray[np.generic], longest: int) -> tuple[Array, int]:
    """Maps (..., height, width) of so many means that no side is longer, and the side of a block.

    A side that is shorter than a block, as of a series, is one cell.
    """
    values, sides = np.asarray(maps, np.float64), maps.shape[-2:]
    block = -(-max(sides) // longest)
    height, width = (max(1, side // block) for side in sides)
    down, across = (min(block, side) for side in sides)
    whole = values[..., : height * down, : width * across]
    cells: Array = whole.reshape(*maps.shape[:-2], height, down, width, across).mean(axis=(-3, -1))
    return cells, block


def signed_picture(values: npt.NDArray[np.generic], label: str, largest: float) -> Picture:
    """Weights (height, width): red below zero, blue above, white at zero.

    Weights of the size `largest` have the strongest colour.
    """
    weights = np.asarray(values, np.float64)
    scale = largest if np.isfinite(largest) and largest > 0 else 1.0
    return shaded_picture(0.5 + np.clip(weights / scale, -1, 1) / 2, RED_BLUE, label)


def mosaic(
    maps: npt.NDArray[np.generic], colours: tuple[str, ...], largest: float, label: str
) -> Picture:
    """Maps (maps, height, width) of numbers up to `largest`, side by side in a square.

    With the ramp of signs, the colour of zero is in the middle.
    """
    values = np.asarray(maps, np.float64) / (largest if largest > 0 else 1.0)
    shares = 0.5 + values / 2 if colours == RED_BLUE else values
    n, height, width = shares.shape
    across = ceil(sqrt(n))
    down = -(-n // across)
    whole = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for index, picture in enumerate(shares):
        top, left = index // across * (height + 1), index % across * (width + 1)
        whole[top : top + height, left : left + width] = picture
    return shaded_picture(whole, colours, label)


def shaded_picture(shares: Array, colours: tuple[str, ...], label: str) -> Picture:
    """Shares from 0 to 1 (height, width) in the colours of a ramp; what is NaN is grey."""
    palette = [ramp(colours, i / (_SHADES - 1)) or colours[0] for i in range(_SHADES)]
    finite = np.isfinite(shares)
    indices = np.rint(np.where(finite, shares, 0.0).clip(0, 1) * (_SHADES - 1)).astype(np.int64)
    picture = raster(np.where(finite, indices, _SHADES), [*palette, _BLANK], label)
    return replace(picture, ramp=colours != GREYS)


def _share(pixels: Array) -> Array:
    finite = pixels[np.isfinite(pixels)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    shares: Array = (pixels - low) / (high - low) if high > low else np.zeros_like(pixels)
    return shares


def raster(indices: npt.NDArray[np.int64], colours: Sequence[str], label: str) -> Picture:
    """A picture of numbers (height, width), each with its own colour; at most 16 of them."""
    height, width = indices.shape
    padded = np.zeros((height, width + width % 2), np.uint8)
    padded[:, :width] = indices
    packed = padded[:, ::2] << 4 | padded[:, 1::2]
    # Each line starts with a filter byte, 0 for none.
    lines = np.zeros((height, packed.shape[1] + 1), np.uint8)
    lines[:, 1:] = packed
    palette = bytes(part for colour in colours for part in rgb(colour))
    return _png(width, height, 4, 3, _chunk(b"PLTE", palette), lines.tobytes(), label)


def _bytes_picture(pixels: npt.NDArray[np.uint8], label: str) -> Picture:
    """Bytes (channels, height, width): one channel is grey, three are colours."""
    channels, height, width = pixels.shape
    lines = np.zeros((height, channels * width + 1), np.uint8)
    lines[:, 1:] = pixels.transpose(1, 2, 0).reshape(height, -1)
    return _png(width, height, 8, 2 if channels == 3 else 0, b"", lines.tobytes(), label)


def _png(
    width: int, height: int, depth: int, colour_type: int, palette: bytes, lines: bytes, label: str
) -> Picture:
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + palette
        + _chunk(b"IDAT", _stored(lines)) + _chunk(b"IEND", b"")
    )  # fmt: skip
    return Picture(f"data:image/png;base64,{b64encode(content).decode()}", width, height, label)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def _stored(content: bytes) -> bytes:
    """A zlib stream of uncompressed blocks (RFC 1950 and 1951)."""
    blocks = [content[start : start + _BLOCK] for start in range(0, len(content), _BLOCK)]
    parts = [b"\x78\x01"]
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        parts.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    return b"".join(parts) + struct.pack(">I", zlib.adler32(content))
