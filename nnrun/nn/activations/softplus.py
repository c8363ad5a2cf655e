"""Softplus."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.activations.sigmoid import Sigmoid
from nnrun.nn.signature import Array


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
        Sigmoid().value(x, dx)
        dx *= dy
