"""The base class of activations."""

from __future__ import annotations

import numpy as np

from nnrun.nn.layer import Layer
from nnrun.nn.signature import Array, Rng


class Activation(Layer):
    """y = f(x), elementwise except for softmax.

    A subclass defines `value`, which writes f(x) into y, and `gradient`, which writes
    dL/dx = dL/dy · f'(x) into dx and may use both x and y = f(x).
    """

    # Whether gradients keep their size behind weights of the right one, as drawn by he_normal.
    keeps_slope = False

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        self.x = x
        # An input of integers gets an output of floats.
        self.y = np.zeros(x.shape, np.result_type(x.dtype, np.float32))
        self.value(x, self.y)
        return self.y

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        if not needs_dx:
            return dy
        dx = np.zeros_like(dy)
        self.gradient(dy, self.x, self.y, dx)
        return dx

    def value(self, x: Array, y: Array) -> None:
        """Write f(x) into y."""
        raise NotImplementedError

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        """Write dy · f'(x) into dx."""
        raise NotImplementedError
