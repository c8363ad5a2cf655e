"""Arrays in the terminal."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.reports.explain.document import number_text
from nnrun.reports.explain.terminal import matrix_lines


def lines(array: np.ndarray, **options: bool) -> list[str]:
    return [line.plain for line in matrix_lines("w", array, **options)]


def test_small_arrays_are_shown_whole():
    """With their shape; columns are aligned."""
    assert ["w  2×2", "  0.5000  -12", "   1.234    0"] == lines(
        np.array([[0.5, -12], [1.2341, 0]])
    )


def test_large_ones_are_shortened():
    """The ends of each axis, and … between them."""
    found = lines(np.arange(100.0).reshape(10, 10))

    assert ["w  10×10", "   0   1   2   3  …   6   7   8   9", "  …"] == [*found[:2], found[5]]
    assert 10 == len(found)
    assert not any("…" in line for line in lines(np.arange(100.0).reshape(10, 10), full=True))


def test_wide_numbers_leave_room_for_fewer():
    """No line is longer than 80 characters, unless all numbers are asked for."""
    array = -np.geomspace(1e-3, 1e-1, 32).reshape(1, 32)
    found = lines(array)

    assert 80 >= max(map(len, found))
    assert (6, "…") == (len(found[1].split()) - 1, found[1].split()[3])
    assert 32 == len(lines(array, full=True)[1].split())


def test_stacks_of_matrices():
    """Two of them, with their indices, and how many there are more."""
    found = lines(np.zeros((1, 5, 2, 2)))

    assert ["  [0, 0]", "  [0, 1]", "  … and 3 more of 2×2"] == [found[1], found[4], found[7]]


@pytest.mark.parametrize(
    ("value", "text"), [(10445.0, "10,445"), (-0.0, "0"), (0.30051, "0.3005"), (np.nan, "–")]
)
def test_numbers(value: float, text: str):
    """Whole numbers as they are; – for what is not known."""
    assert text == number_text(value)
