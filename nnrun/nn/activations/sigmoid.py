"""The logistic function."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array


class Sigmoid(Activation):
    """f(x) = 1 / (1 + exp(-x)), f'(x) = f(x) (1 - f(x)).

    Where exp(-x) would overflow, -x is clipped: f is 0 there to working precision.
    """

    type = "sigmoid"

    def value(self, x: Array, y: Array) -> None:
        np.negative(x, out=y)
        np.minimum(y, largest_exponent(y), out=y)
        np.exp(y, out=y)
        y += 1
        np.reciprocal(y, out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.subtract(1, y, out=dx)
        dx *= y
        dx *= dy


def largest_exponent(x: Array) -> float:
    """A number just below the largest whose exp is finite in x's dtype."""
    return 709.0 if x.dtype == np.float64 else 88.0
