"""Activations of one number at a time."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array, Rng
from nnrun.nn.special import normal_cdf, sigmoid


class Linear(Activation):
    """f(x) = x, f'(x) = 1."""

    type = "linear"
    identity = True

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        return x

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        return dy


class Sigmoid(Activation):
    """f(x) = 1 / (1 + exp(-x)), f'(x) = f(x) (1 - f(x)).

    Where exp(-x) would overflow, f is 0 to working precision.
    """

    type = "sigmoid"

    def value(self, x: Array, y: Array) -> None:
        sigmoid(x, y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.subtract(1, y, out=dx)
        dx *= y
        dx *= dy


class Tanh(Activation):
    """f(x) = tanh(x), f'(x) = 1 - f(x)²."""

    type = "tanh"

    def value(self, x: Array, y: Array) -> None:
        np.tanh(x, out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.multiply(y, y, out=dx)
        np.subtract(1, dx, out=dx)
        dx *= dy


class ReLU(Activation):
    """f(x) = max(x, 0), f'(x) = 1 where x > 0, else 0."""

    type = "relu"
    keeps_slope = True

    def value(self, x: Array, y: Array) -> None:
        np.maximum(x, 0, out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.multiply(dy, x > 0, out=dx)


class LeakyReLU(Activation):
    """f(x) = x where x > 0, else 0.01 x; f'(x) = 1 or 0.01. Maas et al., ICML 2013."""

    type = "leaky_relu"
    keeps_slope = True
    slope = 0.01

    def value(self, x: Array, y: Array) -> None:
        np.multiply(x, self.slope, out=y)
        np.maximum(x, y, out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.multiply(dy, self.slope, out=dx)
        np.copyto(dx, dy, where=x > 0)


class ELU(Activation):
    """f(x) = x where x > 0, else exp(x) - 1; f'(x) = 1 or exp(x).

    Clevert, Unterthiner and Hochreiter, ICLR 2016, with α = 1.
    """

    type = "elu"
    keeps_slope = True

    def value(self, x: Array, y: Array) -> None:
        np.minimum(x, 0, out=y)
        np.expm1(y, out=y)
        np.copyto(y, x, where=x > 0)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        # f(x) + 1 would have no digit left where f(x) is nearly -1.
        np.minimum(x, 0, out=dx)
        np.exp(dx, out=dx)
        dx *= dy


class Softplus(Activation):
    """f(x) = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), f'(x) = sigmoid(x)."""

    type = "softplus"

    def value(self, x: Array, y: Array) -> None:
        np.abs(x, out=y)
        np.negative(y, out=y)
        np.exp(y, out=y)
        np.log1p(y, out=y)
        y += np.maximum(x, 0)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        sigmoid(x, dx)
        dx *= dy


class GELU(Activation):
    """f(x) = x Φ(x), f'(x) = Φ(x) + x φ(x), with the normal distribution's Φ and its density φ.

    The exact form, not the tanh approximation. Hendrycks and Gimpel, arXiv:1606.08415.
    """

    type = "gelu"
    keeps_slope = True

    def value(self, x: Array, y: Array) -> None:
        np.multiply(x, normal_cdf(x), out=y)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        density = np.exp(-0.5 * x * x) / sqrt(2 * pi)
        np.multiply(x, density, out=dx)
        dx += normal_cdf(x)
        dx *= dy
