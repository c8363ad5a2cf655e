"""The identity."""

from __future__ import annotations

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array, Rng


class Linear(Activation):
    """f(x) = x, f'(x) = 1."""

    type = "linear"
    identity = True

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        return x

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        return dy
