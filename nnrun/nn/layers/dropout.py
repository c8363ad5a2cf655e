"""Dropout."""

from __future__ import annotations

import numpy as np

from nnrun.nn.layer import Layer
from nnrun.nn.signature import Array, Fraction, Rng


class Dropout(Layer):
    """y = x · m / (1 - rate) in training, with m zero for a random share `rate` of the numbers.

    The division keeps the mean, so that evaluation is y = x ("inverted" dropout).
    Backward: dx = dy · m / (1 - rate). Srivastava et al., JMLR 15 (2014).

    Args:
        rate: The share of the numbers that are dropped.
    """

    type = "dropout"

    def __init__(self, rate: Fraction = 0.5) -> None:
        super().__init__()
        self.rate = rate
        self.mask: Array | None = None

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        self.mask = None
        if rng is None or self.rate == 0:
            return x
        kept = rng.random(x.shape) >= self.rate
        self.mask = (kept / (1 - self.rate)).astype(np.result_type(x.dtype, np.float32))
        y: Array = x * self.mask
        return y

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        return dy if self.mask is None else dy * self.mask
