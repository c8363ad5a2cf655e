"""Columns of numbers that are read one by one and in parts."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.data.columns.cell_errors import Problems
from nnrun.data.columns.cells import NumberCells
from nnrun.data.columns.table import Numbers, Texts


def filled() -> NumberCells:
    """0 to 11: single numbers, parts of them, texts, and a number that was left to Python."""
    cells = NumberCells("a", Problems("x.csv"))
    cells.add("0", 2)
    cells.extend(Numbers(np.arange(1.0, 5.0)), range(3, 7))
    cells.extend(Texts.of(["5", "6"]), range(7, 9))
    cells.extend(Numbers(np.array([7.0, np.nan, 9.0]), {1: " 8.0 "}), range(9, 12))
    cells.add("10", 12)
    cells.add("11", 13)
    return cells


def test_numbers_are_in_the_order_of_rows():
    """However they came, also if they are asked for in between."""
    cells = filled()
    assert [*range(12)] == cells.features()[:, 0].tolist()
    cells.extend(Numbers(np.array([12.0])), [14])
    assert [*range(13)] == cells.features()[:, 0].tolist()


@pytest.mark.parametrize("size", range(1, 14))
def test_rows_are_taken_from_the_start(size):
    """In pieces of any size, until none is left."""
    cells, taken = filled(), []
    for _ in range(0, 12, size):
        taken += cells.taken(size)[:, 0].tolist()
    assert [*range(12)] == taken
    assert (0, 1) == cells.features().shape
