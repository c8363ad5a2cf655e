"""The exponential linear unit."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array


class ELU(Activation):
    """f(x) = x where x > 0, else exp(x) - 1; f'(x) = 1 or f(x) + 1.

    Clevert, Unterthiner and Hochreiter, ICLR 2016, with α = 1.
    """

    type = "elu"

    def value(self, x: Array, y: Array) -> None:
        np.minimum(x, 0, out=y)
        np.expm1(y, out=y)
        np.copyto(y, x, where=x > 0)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.minimum(y, 0, out=dx)
        dx += 1
        dx *= dy
