"""The Gaussian error linear unit."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array
from nnrun.nn.special import normal_cdf


class GELU(Activation):
    """f(x) = x Φ(x), f'(x) = Φ(x) + x φ(x), with the normal distribution's Φ and its density φ.

    The exact form, not the tanh approximation. Hendrycks and Gimpel, arXiv:1606.08415.
    """

    type = "gelu"

    def value(self, x: Array, y: Array) -> None:
        np.multiply(x, normal_cdf(x), out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        density = np.exp(-0.5 * x * x) / sqrt(2 * pi)
        np.multiply(x, density, out=dx)
        dx += normal_cdf(x)
        dx *= dy
