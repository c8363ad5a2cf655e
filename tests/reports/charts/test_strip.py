"""Strips in the rows of a table: what is on their scale, and arrows to what is not."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from math import nan

import pytest

from nnrun.reports.boards import scale_of
from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.scatter import MOST_DOTS, strip, strip_scale


def places(drawing: str, kind: str) -> list[float]:
    """Where the paths of a class begin."""
    found = [e.get("d", "") for e in ET.fromstring(drawing).iter() if e.get("class") == kind]
    return [float(x) for d in found for x in re.findall(r"M([\d.]+)", d)]


def test_a_strip_has_a_dot_for_each_seed() -> None:
    """Those that have a place on its scale."""
    drawing = strip([0.2, 0.4, 5.0, nan], Linear(0.0, 10.0), 0.1, 0.5, 0.3)
    assert 3 == drawing.count("<circle")


@pytest.mark.parametrize(
    ("values", "ends", "expected"),
    [
        ([0.5], (0.4, 0.6), []),
        ([0.0, 1.0], (0.0, 1.0), []),
        ([0.5], (-0.4, 0.6), ["left"]),
        ([0.5], (0.4, 1.6), ["right"]),
        ([0.5], (-1.0, 2.0), ["left", "right"]),
        ([0.5, 3.0], (None, None), ["right"]),
    ],
)
def test_an_arrow_says_that_something_is_beyond(values, ends, expected) -> None:
    """At the end that an interval or a run leaves, and at no other; dots are inside alone."""
    drawing = strip(values, Linear(0.0, 1.0), *ends, 0.5)
    found = ["left" if x < 60 else "right" for x in places(drawing, "arrow k0")]
    assert (expected, sum(v <= 1 for v in values)) == (found, drawing.count("<circle"))


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([25.67, 26.9, 54.22, 54.39, 54.46, 55.3, 57.51, 57.61, 66.19, 67.24], (25.67, 67.24)),
        ([1.0, 1.1, 1.2, 1.3, 100.0], (1.0, 1.3)),
    ],
)
def test_the_scale_leaves_out_what_would_crush_the_others(values, ends) -> None:
    """Alone; a run that is merely far from the others has its dot."""
    scale = scale_of(values)
    assert [0.0, 1.0] == [round(scale.place(end), 2) for end in ends]


def test_ticks_are_those_of_the_head() -> None:
    """The numbers above the column are at the ticks of its strips, with room between them."""
    scale = Linear(0.62, 0.987)
    head = [e for e in ET.fromstring(strip_scale(scale)).iter() if e.text and e.get("x")]
    numbers = [float(e.text or "") for e in head]
    ticks = places(strip([0.7], scale, None, None, 0.7), "ticks")[1:]
    assert [float(e.get("x", "")) for e in head] == ticks
    assert all(scale.low <= n <= scale.high for n in numbers)
    assert min(b - a for a, b in pairwise(ticks)) > 20


def test_a_strip_of_many_runs_says_their_range() -> None:
    """Dots are of the first runs alone; the label and the arrows are of all."""
    drawing = strip([0.2] * MOST_DOTS + [0.1, 3.0], Linear(0.0, 1.0), None, None, 0.2)
    assert MOST_DOTS == drawing.count("<circle")
    label = ET.fromstring(drawing).get("aria-label")
    assert f"{MOST_DOTS + 2} values from 0.1000 to 3.000" == label
    assert 1 == len(places(drawing, "arrow k0"))


def test_a_strip_says_its_interval() -> None:
    """For readers who cannot see it, and for the tip of those who can."""
    drawing = strip([0.2, 0.4], Linear(0.0, 1.0), 0.1, 0.5, 0.3)
    label = ET.fromstring(drawing).get("aria-label")
    expected = "2 values from 0.2000 to 0.4000; 95% interval of the mean from 0.1000 to 0.5000"
    assert expected == label
