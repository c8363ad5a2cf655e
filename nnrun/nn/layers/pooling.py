"""Pooling: one number for each window of a channel."""

from __future__ import annotations

from math import prod

import numpy as np

from nnrun.nn.layer import Layer
from nnrun.nn.layers.windows import output_size, windows
from nnrun.nn.signature import Array, Rng, Shape, Sides, pair


class Pooling(Layer):
    """Max and average pooling: windows of `size`, which do not overlap by default."""

    input_kind = "images"

    def __init__(self, size: Sides = 2, stride: Sides | None = None) -> None:
        super().__init__()
        self.size = pair(size)
        self.stride = pair(size if stride is None else stride)

    def _connect(self, input_shape: Shape) -> Shape:
        channels, height, width = input_shape
        oh, ow = output_size((height, width), self.size, self.stride, "size")
        return channels, oh, ow


class MaxPool2d(Pooling):
    """y = the largest number of each window.

    Backward: dy goes to the pixel that was the largest, the first of them where several are;
    a pixel that is the largest of several windows gets the sum.

    Args:
        size: Height and width of the windows, or one number for both.
        stride: The step between windows, down and to the right; by default they do not overlap.
    """

    type = "max_pool2d"

    @property
    def activation_count(self) -> int:
        """Besides x and y, a copy of all windows."""
        return super().activation_count + prod(self.size) * prod(self.output_shape)

    def initialize(self, *, rng: Rng) -> None:
        super().initialize(rng=rng)
        sides = self.input_shape[1:]
        pixels = np.arange(prod(sides)).reshape(1, 1, *sides)
        flat = windows(pixels, self.size, self.stride).reshape(-1, prod(self.size))
        self.window_pixels = np.ascontiguousarray(flat)  # (positions, kh · kw)

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        view = windows(x, self.size, self.stride).transpose(4, 5, 0, 1, 2, 3)
        # (kh · kw, batch, channels, oh, ow)
        self.candidates = np.ascontiguousarray(view).reshape(-1, *view.shape[2:])
        y: Array = np.maximum.reduce(self.candidates, axis=0)
        return y

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        if not needs_dx:
            return dy
        planes = dy.shape[0] * dy.shape[1]
        positions, pixels = len(self.window_pixels), prod(self.input_shape[1:])
        winner = self.candidates.argmax(axis=0).reshape(planes, positions)
        pixel = self.window_pixels[np.arange(positions), winner]
        flat = (pixel + pixels * np.arange(planes)[:, None]).ravel()
        dx = np.bincount(flat, weights=dy.ravel(), minlength=planes * pixels)
        return dx.astype(dy.dtype, copy=False).reshape(len(dy), *self.input_shape)


class AvgPool2d(Pooling):
    """y = the mean of each window. Backward: every pixel of a window gets dy / (kh · kw).

    Args:
        size: Height and width of the windows, or one number for both.
        stride: The step between windows, down and to the right; by default they do not overlap.
    """

    type = "avg_pool2d"

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        y: Array = np.mean(windows(x, self.size, self.stride), axis=(4, 5))
        return y

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        if not needs_dx:
            return dy
        (kh, kw), (sh, sw) = self.size, self.stride
        _, height, width = self.input_shape
        _, oh, ow = self.output_shape
        # For each pixel: the sum of dy over the windows that contain it.
        spread = np.zeros((*dy.shape[:2], height + kh - 1, width + kw - 1), dy.dtype)
        spread[:, :, kh - 1 : kh - 1 + oh * sh : sh, kw - 1 : kw - 1 + ow * sw : sw] = dy
        dx: Array = np.mean(windows(spread, self.size, (1, 1)), axis=(4, 5))
        return dx


class GlobalAvgPool(AvgPool2d):
    """y = the mean of each channel, one pixel. Backward: every pixel of x gets dy / pixels.

    Lin, Chen and Yan, Network in Network, ICLR 2014.
    """

    def __init__(self) -> None:
        super().__init__()

    def _connect(self, input_shape: Shape) -> Shape:
        self.size = self.stride = input_shape[1], input_shape[2]
        return super()._connect(input_shape)

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        shape = len(dy), *self.input_shape
        return np.broadcast_to(dy / prod(self.size), shape)
