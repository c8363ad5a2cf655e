"""The hyperbolic tangent."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array


class Tanh(Activation):
    """f(x) = tanh(x), f'(x) = 1 - f(x)²."""

    type = "tanh"

    def value(self, x: Array, y: Array) -> None:
        np.tanh(x, out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.multiply(y, y, out=dx)
        np.subtract(1, dx, out=dx)
        dx *= dy
