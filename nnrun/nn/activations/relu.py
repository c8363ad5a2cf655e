"""ReLU and leaky ReLU."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array


class ReLU(Activation):
    """f(x) = max(x, 0), f'(x) = 1 where x > 0, else 0."""

    type = "relu"

    def value(self, x: Array, y: Array) -> None:
        np.maximum(x, 0, out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.multiply(dy, x > 0, out=dx)


class LeakyReLU(Activation):
    """f(x) = x where x > 0, else 0.01 x; f'(x) = 1 or 0.01. Maas et al., ICML 2013."""

    type = "leaky_relu"
    slope = 0.01

    def value(self, x: Array, y: Array) -> None:
        np.multiply(x, self.slope, out=y)
        np.maximum(x, y, out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.multiply(dy, self.slope, out=dx)
        np.copyto(dx, dy, where=x > 0)
