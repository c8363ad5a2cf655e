"""Curves in a terminal: the marks stand where the values are."""

from __future__ import annotations

import io
from math import inf, nan

import pytest
from rich.console import Console

from nnrun.reports.terminal.plot import Curve, Plot


def drawn(*curves, width=40, title="loss"):
    file = io.StringIO()
    plot = Plot(title, [Curve(f"c{mark}", x, y, mark, "") for x, y, mark in curves])
    Console(file=file, width=width, markup=False, highlight=False).print(plot)
    return file.getvalue().splitlines()


def test_a_line_falls_from_the_top_left_to_the_bottom_right():
    """Its first value at the largest label, its last at the smallest, iterations below."""
    heading, *rows, axis, footer = drawn(([0, 100], [1.0, 0.0], "•"))
    assert "loss   • c•" == heading.rstrip()
    assert rows[0].startswith(" 1.000 │ •")
    assert rows[-1].startswith("     0 │")
    assert rows[-1].rstrip().endswith("•")
    assert 31 == sum(row.count("•") for row in rows)
    assert "└" in axis
    assert footer.split() == ["0", "iteration", "100"]
    assert all(len(row) <= 40 for row in rows)


def test_wide_ranges_are_logarithmic_and_say_so():
    """From 1,000 to 0.001 by equal ratios is a straight line."""
    heading, *rows = drawn(([0, 1, 2], [1e3, 1.0, 1e-3], "•"))
    assert heading.startswith("loss, logarithmic")
    middle = [index for index, row in enumerate(rows) if "1.000 │" in row]
    assert middle in ([4], [5])


@pytest.mark.parametrize("values", [[nan, inf], [3.0, 3.0], [1e300, -1e300], [], [0.0]])
def test_values_without_a_place_leave_gaps(values):
    """No number, one number, the range of all numbers: something is drawn, and nothing fails."""
    lines = drawn((list(range(len(values))), values, "•"))
    assert 13 == len(lines)
    marks = sum(line.count("•") for line in lines[1:])
    assert (marks > 0) == bool([v for v in values if abs(v) < inf])


def test_narrow_terminals_still_show_the_axis():
    """Down to a few columns."""
    assert all(len(line) <= 20 or "loss" in line for line in drawn(([0, 9], [1, 2], "•"), width=20))
