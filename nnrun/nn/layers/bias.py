"""Adding a bias."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nnrun.nn.initializers import Initializer
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.signature import Array, Rng, Shape


class Bias(Layer):
    """y = x + b, one number for each position of a row, or for each channel of an image.

    Backward: db = Σ dy over the rows (and over height and width where b is per channel), dx = dy.

    Args:
        per: Whether b has a number for each position in a row, or for each channel of an image.
        initializer: The initializer of b, which is zero for most; by default the network's.
    """

    type = "bias"

    def __init__(
        self,
        per: Literal["position", "channel"] = "position",
        initializer: Initializer | None = None,
    ) -> None:
        super().__init__()
        self.per = per
        self.initializer = initializer or Layer.initializer

    def _connect(self, input_shape: Shape) -> Shape:
        shared = self.per == "channel" and len(input_shape) == 3
        shape = input_shape[:1] if shared else input_shape
        # A (channels,) bias is added as (channels, 1, 1).
        self.view = (*shape, 1, 1) if shared else shape
        self.summed = (0, 2, 3) if shared else 0
        self.b = Parameter("bias", shape, lambda rng: self.initializer.biases(shape, rng=rng))
        self.parameters = [self.b]
        return input_shape

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        y: Array = x + self.b.value.reshape(self.view)
        return y

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        np.add.reduce(dy, axis=self.summed, out=self.b.grad)
        return dy
