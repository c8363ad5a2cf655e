"""Pictures in charts, and filmstrips."""

from __future__ import annotations

import re
import struct
import zlib
from base64 import b64decode

import numpy as np
import pytest

from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.chart import BLUES, CIVIDIS, Table
from nnrun.reports.charts.pictures import Picture, grey_picture, photograph, raster, signed_picture
from nnrun.reports.charts.surface import Dots, Strips, filmstrip

# Pictures of numbers, whose bytes depend on the numbers alone.


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


# Rows of pictures over training, pixel by pixel.

TABLE = Table(["iteration"], [["0"]])
WHITE, BLUE = "f7fbff", "08306b"


def drawn(strips: Strips) -> str:
    return str(filmstrip("Output", "Two moments.", strips, TABLE).drawing)


def colours(drawing: str) -> list[list[list[str]]]:
    """The pixels of each row of pictures."""
    found = []
    for source in re.findall(r'href="([^"]+)"', drawing):
        head = b64decode(source.partition(",")[2])[16:24]
        found.append(pixels(Picture(source, *struct.unpack(">II", head), "")))
    return found


def test_frames_are_side_by_side_with_the_top_first() -> None:
    """Values are on one scale; the edges of each frame are there twice, under the gaps."""
    first, second = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 1.0]])
    strips = Strips(["0", "10"], [("y", [first, second])], BLUES, Linear(0.0, 1.0), 40.0)
    rows, bar = colours(drawn(strips))
    upper, lower = "0000 0011", "0011 1111"
    expected = [
        [{"0": WHITE, "1": BLUE}[digit] for digit in line.replace(" ", "")]
        for line in (upper, lower)
    ]
    assert expected == rows
    assert (WHITE, BLUE, 1) == (bar[0][0], bar[0][-1], len(bar))


@pytest.mark.parametrize(("ramp", "inverted"), [(BLUES, 2), (CIVIDIS, 0)])
def test_dark_pages_invert_pictures_and_their_scale_alike(ramp, inverted) -> None:
    """But not colours from dark to light, which have the same meaning on both."""
    strips = Strips(["0"], [("y", [np.zeros((2, 2))])], ramp, Linear(0.0, 1.0), 40.0)
    drawing = drawn(strips)
    assert (2, inverted) == (drawing.count("<image"), drawing.count('class="ramp"'))


def test_whole_numbers_have_colours_of_their_own() -> None:
    """Each row of the strip has its picture; without a scale there is no bar of colours."""
    palette = ("#102030", "#405060", "#708090")
    frames = [np.array([[0, 1], [2, 2]])]
    strips = Strips(["0"], [("a", frames), ("b", frames)], palette, None, 40.0, row_label="unit")
    drawing = drawn(strips)
    line = [["708090"] * 4, ["102030", "102030", "405060", "405060"]]
    assert [line, line] == colours(drawing)
    assert ["unit", "0", "a", "b"] == re.findall(r">([^<>]+)</text>", drawing)


def test_dots_are_in_every_picture_of_the_first_row() -> None:
    """Their places are shares from the left and from the bottom; pictures are a gap apart."""
    frame = np.zeros((4, 4))
    strips = Strips(
        ["0", "10"], [("y", [frame, frame]), ("z", [frame, frame])], BLUES, Linear(0, 1), 40.0,
        dots=[Dots(1, [0.5], [0.25])],
    )  # fmt: skip
    drawing = drawn(strips)
    (d,) = re.findall(r'd="([^"]+)" class="spots k1 d0 s1"', drawing)
    (left, top, wide, high) = (
        float(re.search(rf'<image [^>]*\b{name}="([\d.]+)"', drawing)[1])
        for name in ("x", "y", "width", "height")
    )
    gap = 2 * 40 / 4
    x = left + gap / 2 + 0.5 * 40
    assert (2 * (40 + gap), 40) == (wide, high)
    assert f"M{x:g} {top + 30:g}h0M{x + 40 + gap:g} {top + 30:g}h0" == d


def test_a_function_of_one_number_is_a_curve() -> None:
    """From bottom to top of its box by the scale; it breaks at what is no number."""
    values = np.array([-1.0, 1.0, np.nan, 0.0, 0.5])
    strips = Strips(["0"], [("y", [values])], BLUES, Linear(-1.0, 1.0), 40.0)
    drawing = drawn(strips)
    left, top = map(float, re.search(r'd="M([\d.]+) ([\d.]+)h40v40h-40Z"', drawing).groups())
    (curve,) = re.findall(r'd="([^"]+)" class="line k0"', drawing)
    points = [(0, 40), (10, 0), (30, 20), (40, 10)]
    expected = "".join(
        f"{letter}{left + x:g} {top + y:g}" for letter, (x, y) in zip("MLML", points, strict=True)
    )
    assert expected == curve
    assert f'd="M{left:g} {top + 20:g}h40" class="grid"' in drawing
