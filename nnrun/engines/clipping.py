"""Gradients that are scaled down to a length, also where their squares leave the range of numbers.

Σ g² is computed as it is, and as Σ (g / unit)² where it overflows or squares are lost to underflow.
The unit is a power of two, so that dividing by it rounds nothing. The gradient is divided by it
too before it is scaled: limit / length itself can be too small for a number.
Blue, ACM Transactions on Mathematical Software 4 (1978).
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from nnrun.nn.signature import Array


class Units(NamedTuple):
    """Which sums of squares are computed again, and in which unit.

    Args:
        most: a sum above it has overflowed, or may do so when parts of it are added up.
        large: the unit for those.
        least: in a sum below it, squares that are lost to underflow matter.
        small: the unit for those.
    """

    most: float
    large: float
    least: float
    small: float


# With these units no square overflows, nor do sums of 2³⁰ of them; what underflows is beyond the
# last digit of the sum.
UNITS = {
    "float64": Units(most=2.0**990, large=2.0**600, least=2.0**-900, small=2.0**-600),
    "float32": Units(most=2.0**90, large=2.0**80, least=2.0**-80, small=2.0**-100),
}


def clip(gradient: Array, limit: float) -> None:
    """Scale a gradient that is longer than the limit (Euclidean) down to it, in place.

    Pascanu, Mikolov and Bengio, ICML 2013.
    """
    squares, unit, scaled = float(np.dot(gradient, gradient)), 1.0, gradient
    units = UNITS[gradient.dtype.name]
    if squares > units.most:
        unit = units.large
    elif squares < units.least:
        unit = units.small
    if unit != 1:
        scaled = gradient * (1 / unit)
        squares = float(np.dot(scaled, scaled))
    length = sqrt(squares)
    if length > limit / unit:
        np.multiply(scaled, limit / length, out=gradient)
