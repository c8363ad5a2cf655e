"""Vectors of the language, and what is constant about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.compiler.code import lane, read, room, spread, subroutine, write
from tests.compiler.language import translated


def bent(x: Any, y: Any, n: Any) -> None:
    at = 0
    for lanes in (8, 4, 2):
        while at + lanes <= n:
            v = read(x + at, lanes)
            v = -v if v < 0 and not v <= -3 else 2 * v + x[0]
            write(v, y + at)
            at += lanes


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_operators_take_vectors_and_numbers(dtype: str) -> None:
    """Each lane is computed as a number would be; a number beside a vector counts for all lanes."""
    x = np.array([0.5, -1, 2, -3, 4, -5, 6, np.nan, -0.0, 1.5, -2.5, 3.25, 7, -8], dtype)
    y = np.zeros_like(x)
    translated.run(bent, x, y)
    expected = np.where((x < 0) & ~(x <= -3), -x, 2 * x + x[0])
    assert np.array_equal(expected, y, equal_nan=True)


@subroutine
def summed(shape: Any, x: Any, y: Any) -> None:
    totals = room(shape[0], spread(1.5, shape[1]))
    for r in range(shape[0]):
        totals[r] = spread(1.5, shape[1]) + read(x + r * shape[1], shape[1])
    for r in range(shape[0]):
        y[r] = lane(totals[r], 0) + lane(totals[r], shape[1] - 1)


def by_shapes(x: Any, y: Any, n: Any) -> None:
    summed((2, 4), x, y)
    summed((3, 2), x, y + 2)
    summed((2, 4), x, y + 5)


def test_subroutines_are_made_for_their_tuples() -> None:
    """A tuple of constants stays constant within a subroutine, which there is once for each."""
    x, y = np.arange(8.0), np.zeros(8)
    translated.run(by_shapes, x, y)
    assert [6, 14, 4, 8, 12, 6, 14, 0] == y.tolist()
