"""Rows of pictures over training, pixel by pixel."""

from __future__ import annotations

import re
import struct
from base64 import b64decode

import numpy as np
import pytest

from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.chart import BLUES, CIVIDIS, Table
from nnrun.reports.charts.pictures import Picture
from nnrun.reports.charts.surface import Dots, Strips, filmstrip
from tests.reports.charts.test_pictures import pixels

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
