"""Pictures of numbers, whose bytes depend on the numbers alone."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode

import numpy as np

from nnrun.reports.charts.pictures import (
    Picture,
    grey_picture,
    photograph,
    raster,
    signed_picture,
)


def chunks(picture: Picture) -> dict[str, bytes]:
    """The parts of a PNG, each with the right check sum."""
    content = b64decode(picture.source.removeprefix("data:image/png;base64,"))
    assert b"\x89PNG\r\n\x1a\n" == content[:8]
    parts, start = {}, 8
    while start < len(content):
        (length,) = struct.unpack(">I", content[start : start + 4])
        kind, body = content[start + 4 : start + 8], content[start + 8 : start + 8 + length]
        (check,) = struct.unpack(">I", content[start + 8 + length : start + 12 + length])
        assert zlib.crc32(kind + body) == check
        parts[kind.decode()] = body
        start += 12 + length
    return parts


def pixels(picture: Picture) -> list[list[str]]:
    """Rows of colours."""
    parts = chunks(picture)
    width, height, depth, kind = struct.unpack(">IIBB", parts["IHDR"][:10])
    assert (picture.width, picture.height, 4, 3) == (width, height, depth, kind)
    lines = zlib.decompress(parts["IDAT"])
    size = 1 + (width + 1) // 2
    colours = parts["PLTE"].hex(" ", 3).split()
    rows = [lines[row * size + 1 : (row + 1) * size].hex()[:width] for row in range(height)]
    return [[colours[int(digit, 16)] for digit in row] for row in rows]


def test_grey_pictures_go_from_black_to_white() -> None:
    """The smallest value is black, the largest white, the middle grey."""
    picture = grey_picture(np.array([[[0, 8, 16], [16, 8, 0]]]), "a digit")
    expected = [["000000", "808080", "ffffff"], ["ffffff", "808080", "000000"]]
    assert expected == pixels(picture)


def test_a_constant_picture_is_one_colour() -> None:
    """Nor does a missing value spoil it."""
    assert [["000000"] * 2] == pixels(grey_picture(np.array([[3.0, np.nan]]), "flat"))


def test_weights_are_red_below_zero_and_blue_above() -> None:
    """White at zero, whatever the largest weight."""
    picture = signed_picture(np.array([[-2.0, 0.0, 2.0, 9.0]]), "weights", largest=2.0)
    assert [["b2182b", "f7f7f7", "2166ac", "2166ac"]] == pixels(picture)


def test_three_channels_are_colours() -> None:
    """A pixel has a byte for each channel."""
    image = np.zeros((3, 1, 2))
    image[0, 0, 0], image[2, 0, 1] = 1.0, 0.5
    parts = chunks(grey_picture(image, "colours"))
    assert bytes([0, 255, 0, 0, 0, 0, 128]) == zlib.decompress(parts["IDAT"])


def test_large_pictures_are_stored_in_blocks() -> None:
    """A block holds 65,535 bytes; nothing is lost where one ends."""
    classes = np.arange(400 * 400).reshape(400, 400) % 2
    found = pixels(raster(classes, ["#000000", "#ffffff"], "large"))
    assert [["000000", "ffffff"] * 200] * 400 == found


def test_the_bytes_are_known() -> None:
    """No library that compresses has a say in them."""
    source = raster(np.array([[0, 1]]), ["#000000", "#ffffff"], "two").source
    header, stored = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABBAMAAAAGDGK5", "AQECAP3/AAEAAwAC264f7wAAAAB"
    colours = "AAAABlBMVEUAAAD///+l2Z/d"
    expected = f"{header}{colours}AAAADUlEQVR4{stored}JRU5ErkJggg=="
    assert f"data:image/png;base64,{expected}" == source


def test_photographs_keep_their_bytes() -> None:
    """Grey or in colours, neither stretched to black and white nor rounded to shades."""
    grey = np.array([[[7, 130], [99, 180]]], np.uint8)
    parts = chunks(photograph(grey, "grey"))
    assert (2, 2, 8, 0) == struct.unpack(">IIBB", parts["IHDR"][:10])
    assert bytes([0, 7, 130, 0, 99, 180]) == zlib.decompress(parts["IDAT"])
    colours = np.array([[[1]], [[2]], [[3]]], np.uint8)
    assert bytes([0, 1, 2, 3]) == zlib.decompress(chunks(photograph(colours, "rgb"))["IDAT"])


def test_large_photographs_are_made_smaller() -> None:
    """By whole factors, each pixel the mean of a block; an end that fills no block is left out."""
    image = np.zeros((1, 100, 193), np.uint8)
    image[0, :3, :3] = 90
    image[0, 0, 1] = 99
    picture = photograph(image, "large")
    assert (64, 33) == (picture.width, picture.height)
    assert bytes([0, 91, 0]) == zlib.decompress(chunks(picture)["IDAT"])[:3]
