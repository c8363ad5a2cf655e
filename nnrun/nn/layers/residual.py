"""Residual connections."""

from __future__ import annotations

from nnrun.nn.layer import Layer
from nnrun.nn.sequential import Layers, Sequential
from nnrun.nn.signature import Array, Rng, Shape, ShapeError, shape_text


class Residual(Layer):
    """y = x + f(x), where f is a sequence of layers that keeps the shape of x.

    Backward: dx = dy + (∂f/∂x)ᵀ dy: dy itself plus the gradient through f.
    He, Zhang, Ren and Sun, CVPR 2016.

    Args:
        layers: The layers of f, from its input to its output.
    """

    type = "residual"

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.inner = Sequential(layers)
        self.children = [self.inner]

    def _connect(self, input_shape: Shape) -> Shape:
        shape = self.inner.connect(input_shape)
        if shape != input_shape:
            raise ShapeError(
                f"its layers put out {_described(shape)}, which cannot be added to its input of "
                f"{_described(input_shape)}; {_remedy(input_shape, shape)}"
            )
        return input_shape

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        y: Array = x + self.inner.forward(x, rng)
        return y

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        dx = self.inner.backward(dy, needs_dx)
        return dy + dx if needs_dx else dy


def _described(shape: Shape) -> str:
    if len(shape) == 3:
        return f"images of {shape_text(shape)}"
    return f"{shape[0]} number" + ("s" if shape[0] != 1 else "")


def _remedy(wanted: Shape, found: Shape) -> str:
    if len(wanted) == len(found) == 1:
        return f"let the last of them have {wanted[0]} units"
    if wanted[1:] == found[1:]:
        return f"let the last of them have {wanted[0]} channels"
    return "use stride 1 and padding same" if len(found) == 3 else "leave the flatten out"
