"""Softmax, the only activation that is not elementwise."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.signature import Array, Shape, ShapeError, shape_text


def row_maximum(x: Array) -> Array:
    """The largest of each row, (batch, 1); for short rows much faster than `x.max(axis=1)`."""
    largest: Array = x[np.arange(len(x)), x.argmax(axis=1)]
    return largest[:, None]


class Softmax(Activation):
    """f(x)ᵢ = exp(xᵢ) / Σⱼ exp(xⱼ). The row's largest number is subtracted from x first: this does
    not change f, and exp cannot overflow. Backward: dxᵢ = yᵢ (dyᵢ - Σⱼ dyⱼ yⱼ).
    """

    type = "softmax"

    def _connect(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ShapeError(
                f"softmax takes vectors, but its input is images of {shape_text(input_shape)}; "
                "put a flatten before it"
            )
        return input_shape

    def value(self, x: Array, y: Array) -> None:
        np.subtract(x, row_maximum(x), out=y)
        np.exp(y, out=y)
        y /= y.sum(axis=1, keepdims=True)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        np.multiply(dy, y, out=dx)
        np.subtract(dy, dx.sum(axis=1, keepdims=True), out=dx)
        dx *= y
