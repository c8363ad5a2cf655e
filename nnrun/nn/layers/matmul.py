"""Matrix multiplication."""

from __future__ import annotations

import numpy as np

from nnrun.nn.initializers import Initializer
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.signature import Array, PositiveInt, Rng, Shape


class MatMul(Layer):
    """z = x w for x of (batch, inputs) and w of (inputs, units).

    Backward: dw = xᵀ dz, dx = dz wᵀ.

    Args:
        units: The number of outputs.
        initializer: The initializer of w; by default the network's.
    """

    type = "matmul"
    input_kind = "vectors"

    def __init__(self, units: PositiveInt, initializer: Initializer | None = None) -> None:
        super().__init__()
        self.units = units
        self.initializer = initializer or Layer.initializer

    def _connect(self, input_shape: Shape) -> Shape:
        inputs = input_shape[0]
        shape, fans = (inputs, self.units), (inputs, self.units)
        self.w = Parameter(
            "weight", shape, lambda rng: self.initializer.weights(shape, fans, rng=rng)
        )
        self.parameters = [self.w]
        return (self.units,)

    @property
    def flops(self) -> int:
        return 2 * self.w.size

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        self.x = x  # (batch, inputs)
        z: Array = x @ self.w.value
        return z

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        np.matmul(self.x.T, dy, out=self.w.grad)
        return dy @ self.w.value.T if needs_dx else dy
