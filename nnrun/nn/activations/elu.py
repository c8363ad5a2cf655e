"""The exponential linear unit."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array


class ELU(Activation):
    """f(x) = x where x > 0, else exp(x) - 1; f'(x) = 1 or exp(x).

    Clevert, Unterthiner and Hochreiter, ICLR 2016, with α = 1.
    """

    type = "elu"

    def value(self, x: Array, y: Array) -> None:
        np.minimum(x, 0, out=y)
        np.expm1(y, out=y)
        np.copyto(y, x, where=x > 0)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        # f(x) + 1 would have no digit left where f(x) is nearly -1.
        np.minimum(x, 0, out=dx)
        np.exp(dx, out=dx)
        dx *= dy
