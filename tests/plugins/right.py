"""Layers, an activation and a loss without mistakes, from which wrong ones are derived."""

from __future__ import annotations

import numpy as np

from nnrun.nn import Activation, Layer, Loss, Parameter
from nnrun.nn.signature import Fraction, PositiveInt


class Dense(Layer):
    """y = x w + b."""

    input_kind = "vectors"

    def __init__(self, units: PositiveInt) -> None:
        super().__init__()
        self.units = units

    def _connect(self, input_shape):
        shape = input_shape[0], self.units
        self.w = Parameter("weight", shape, lambda rng: rng.normal(size=shape))
        self.b = Parameter("bias", (self.units,), lambda rng: rng.normal(size=self.units))
        self.parameters = [self.w, self.b]
        return (self.units,)

    def forward(self, x, rng=None):
        self.x = x
        return x @ self.w.value + self.b.value

    def backward(self, dy, needs_dx=True):
        self.w.grad[...] = self.x.T @ dy
        self.b.grad[...] = dy.sum(axis=0)
        return dy @ self.w.value.T


class Mix(Layer):
    """y = x w with a square w."""

    input_kind = "vectors"

    def _connect(self, input_shape):
        shape = 2 * input_shape
        self.w = Parameter("weight", shape, lambda rng: rng.normal(size=shape))
        self.parameters = [self.w]
        return input_shape

    def forward(self, x, rng=None):
        self.x = x
        return x @ self.w.value

    def backward(self, dy, needs_dx=True):
        self.w.grad[...] = self.x.T @ dy
        return dy @ self.w.value.T


class Gain(Layer):
    """y = g tanh(x), with a gain g for each number."""

    def _connect(self, input_shape):
        self.g = Parameter("gain", input_shape, lambda rng: np.ones(input_shape))
        self.parameters = [self.g]
        return input_shape

    def forward(self, x, rng=None):
        self.t = np.tanh(x)
        return self.g.value * self.t

    def backward(self, dy, needs_dx=True):
        self.g.grad[...] = (dy * self.t).sum(axis=0)
        return dy * self.g.value * (1 - self.t**2)


class Conv(Layer):
    """y = w * x: kernels of 2×3, step by step."""

    input_kind = "images"

    def __init__(self, channels: PositiveInt, stride: PositiveInt = 2) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride

    def _connect(self, input_shape):
        depth, height, width = input_shape
        shape = (self.channels, depth, 2, 3)
        self.w = Parameter("weight", shape, lambda rng: rng.normal(size=shape))
        self.parameters = [self.w]
        return self.channels, (height - 2) // self.stride + 1, (width - 3) // self.stride + 1

    def window(self, i, j):
        top, left = i * self.stride, j * self.stride
        return np.s_[:, :, top : top + 2, left : left + 3]

    def forward(self, x, rng=None):
        self.x = x
        y = np.empty((len(x), *self.output_shape), x.dtype)
        for i, j in np.ndindex(*y.shape[2:]):
            y[:, :, i, j] = np.einsum("ncab,ocab->no", x[self.window(i, j)], self.w.value)
        return y

    def backward(self, dy, needs_dx=True):
        dx = np.zeros_like(self.x)
        self.w.grad[...] = 0
        for i, j in np.ndindex(*dy.shape[2:]):
            place, d = self.window(i, j), dy[:, :, i, j]
            self.w.grad += np.einsum("no,ncab->ocab", d, self.x[place])
            dx[place] += np.einsum("no,ocab->ncab", d, self.w.value)
        return dx


class Drop(Layer):
    """y = x m / (1 - rate) in training."""

    def __init__(self, rate: Fraction = 0.5) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x, rng=None):
        self.m = np.ones_like(x)
        if rng is not None:
            self.m = (rng.random(x.shape) >= self.rate).astype(x.dtype) / (1 - self.rate)
        return x * self.m.astype(x.dtype)

    def backward(self, dy, needs_dx=True):
        return dy * self.m.astype(dy.dtype)


class Swish(Activation):
    """f(x) = x σ(x), f'(x) = σ(x) + x σ(x) (1 - σ(x))."""

    def value(self, x, y):
        y[...] = x / (1 + np.exp(-x))

    def gradient(self, dy, x, y, dx):
        s = 1 / (1 + np.exp(-x))
        dx[...] = dy * (s + x * s * (1 - s))


class Shares(Activation):
    """f(x)ᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)."""

    input_kind = "vectors"

    def value(self, x, y):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        y[...] = e / e.sum(axis=1, keepdims=True)

    def gradient(self, dy, x, y, dx):
        dx[...] = y * (dy - (dy * y).sum(axis=1, keepdims=True))


class Quartic(Loss):
    """L = mean (y - t)⁴ over rows and outputs."""

    def value(self, y, target):
        return float(np.mean((y - target) ** 4))

    def gradient(self, y, target):
        return 4 * (y - target) ** 3 / y.size


RIGHT = {"layer": (Dense, Mix, Gain, Conv, Drop), "activation": (Swish, Shares), "loss": (Quartic,)}
