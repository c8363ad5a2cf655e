"""Flattening images to vectors."""

from __future__ import annotations

from math import prod

from nnrun.nn.layer import Layer
from nnrun.nn.signature import Array, Rng, Shape


class Flatten(Layer):
    """(batch, channels, height, width) to (batch, channels · height · width), row-major."""

    type = "flatten"
    makes_vectors = True

    def _connect(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        return dy.reshape(len(dy), *self.input_shape)
