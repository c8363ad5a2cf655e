"""Convolution of images (as usual in deep learning: cross-correlation)."""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np

from nnrun.nn.initializers import Initializer
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.layers.windows import output_size, padding_of, windows
from nnrun.nn.signature import (
    Array,
    PositiveInt,
    Rng,
    Shape,
    Sides,
    Zeros,
    pair,
)


class Convolution(Layer):
    """z[o, i, j] = Σ_{c, a, b} w[o, c, a, b] · x[c, i·s + a, j·s + b], the image padded by zeros.

    With all windows of a row of x laid out as the columns of a matrix P, of shape
    (channels · kh · kw, positions), this is one product: z = W P.

    Backward: dW = Σ_rows dz Pᵀ. Since every pixel is used once for each position in the kernel, dx
    is a convolution too: of dz, with stride - 1 zeros between its pixels and kernel - 1 zeros
    around, with the kernels rotated by 180° and their two channel axes exchanged.
    """

    type = "convolution"
    input_kind = "images"

    def __init__(
        self,
        channels: PositiveInt,
        kernel: Sides = 3,
        stride: Sides = 1,
        padding: Literal["valid", "same"] | Zeros = "valid",
        initializer: Initializer | None = None,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.kernel = pair(kernel)
        self.stride = pair(stride)
        self.padding = padding
        self.initializer = initializer or Layer.initializer

    def _connect(self, input_shape: Shape) -> Shape:
        inputs, height, width = input_shape
        (top, bottom), (left, right) = padding_of(
            self.padding, (height, width), self.kernel, self.stride
        )
        self.padded = (inputs, height + top + bottom, width + left + right)
        self.inside = (..., slice(top, top + height), slice(left, left + width))
        oh, ow = output_size(self.padded[1:], self.kernel, self.stride, "kernel")
        area = self.kernel[0] * self.kernel[1]
        shape, fans = (self.channels, inputs, *self.kernel), (inputs * area, self.channels * area)
        self.w = Parameter(
            "weight", shape, lambda rng: self.initializer.weights(shape, fans, rng=rng)
        )
        self.parameters = [self.w]
        return self.channels, oh, ow

    @property
    def flops(self) -> int:
        return 2 * self.w.size * prod(self.output_shape[1:])

    @property
    def activation_count(self) -> int:
        """Besides x and y, the patches of both passes."""
        inputs, height, width = self.padded
        patches = inputs * prod(self.output_shape[1:]) + self.channels * height * width
        return super().activation_count + self.kernel[0] * self.kernel[1] * patches

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        padded = x
        if self.padded != self.input_shape:
            padded = np.zeros((len(x), *self.padded), x.dtype)
            padded[self.inside] = x
        self.patches = self._columns(padded, self.stride)
        z: Array = self.w.value.reshape(self.channels, -1) @ self.patches
        return z.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        rows = dy.reshape(len(dy), self.channels, -1)  # (batch, channels, positions)
        per_row = rows @ self.patches.transpose(0, 2, 1)
        np.add.reduce(per_row, axis=0, out=self.w.grad.reshape(self.channels, -1))
        if not needs_dx:
            return dy
        inputs = self.input_shape[0]
        turned = self.w.value[:, :, ::-1, ::-1].transpose(1, 0, 2, 3).reshape(inputs, -1)
        dx: Array = turned @ self._columns(self._spread(dy), (1, 1))
        return dx.reshape(len(dy), *self.padded)[self.inside]

    def _columns(self, x: Array, stride: tuple[int, int]) -> Array:
        """All windows of x as columns: (batch, channels · kh · kw, positions)."""
        view = windows(x, self.kernel, stride).transpose(0, 1, 4, 5, 2, 3)
        return np.ascontiguousarray(view).reshape(len(x), -1, view.shape[4] * view.shape[5])

    def _spread(self, dy: Array) -> Array:
        """dy with stride - 1 zeros between its pixels and kernel - 1 zeros around them."""
        (kh, kw), (sh, sw) = self.kernel, self.stride
        _, height, width = self.padded
        _, oh, ow = self.output_shape
        spread = np.zeros((len(dy), self.channels, height + kh - 1, width + kw - 1), dy.dtype)
        spread[:, :, kh - 1 : kh - 1 + oh * sh : sh, kw - 1 : kw - 1 + ow * sw : sw] = dy
        return spread
