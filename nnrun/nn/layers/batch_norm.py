"""Batch normalisation."""

from __future__ import annotations

import numpy as np

from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.signature import Array, PositiveFloat, Rng, Shape, Share


class BatchNorm(Layer):
    """y = γ x̂ + β with x̂ = (x - μ) / sqrt(σ² + ε), for each feature or each channel.

    In training μ and σ² are those of the batch (over rows, and pixels), and the running values
    move towards them: running = (1 - momentum) · running + momentum · batch, with the unbiased
    variance, as in PyTorch (Keras calls 1 - momentum its momentum). Evaluation uses the running
    values. They are stored as `running_mean` and `running_variance` (PyTorch: `running_var`), γ as
    `weight` and β as `bias`. Backward, with N numbers in each mean:

        dβ = Σ dy,  dγ = Σ dy x̂,  dx = γ / sqrt(σ² + ε) · (dy - dβ / N - x̂ dγ / N)

    Ioffe and Szegedy, ICML 2015.

    Args:
        momentum: The share of a batch in the running values.
        epsilon: Added to the variance, so that the root is not zero.
    """

    type = "batch_norm"
    batch_dependent = True

    def __init__(self, momentum: Share = 0.1, epsilon: PositiveFloat = 1e-5) -> None:
        super().__init__()
        self.momentum = momentum
        self.epsilon = epsilon

    def _connect(self, input_shape: Shape) -> Shape:
        image = len(input_shape) == 3
        self.axes = (0, 2, 3) if image else (0,)
        self.view = (1, input_shape[0], 1, 1) if image else (1, input_shape[0])
        shape = input_shape[:1]
        self.gamma = Parameter("weight", shape, lambda rng: np.ones(shape))
        self.beta = Parameter("bias", shape, lambda rng: np.zeros(shape))
        self.parameters = [self.gamma, self.beta]
        unset = np.broadcast_to(np.int8(0), shape)  # has this shape without taking memory
        self.buffers = {"running_mean": unset, "running_variance": unset}
        return input_shape

    def initialize(self, *, rng: Rng) -> None:
        super().initialize(rng=rng)
        shape = self.gamma.shape
        self.buffers = {"running_mean": np.zeros(shape), "running_variance": np.ones(shape)}

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        self.training = rng is not None
        if self.training:
            mean, variance = x.mean(axis=self.axes), x.var(axis=self.axes)
            self._track(mean, variance, count=x.size // len(mean))
        else:
            mean, variance = self.buffers.values()
        self.inverse = (1 / np.sqrt(variance + self.epsilon)).reshape(self.view)
        self.x_hat = (x - mean.reshape(self.view)) * self.inverse
        y: Array = self.x_hat * self.gamma.value.reshape(self.view)
        y += self.beta.value.reshape(self.view)
        return y

    def _track(self, mean: Array, variance: Array, count: int) -> None:
        unbiased = variance * (count / max(count - 1, 1))
        for running, batch in zip(self.buffers.values(), (mean, unbiased), strict=True):
            np.add(running, self.momentum * (batch - running), out=running)

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        np.add.reduce(dy, axis=self.axes, out=self.beta.grad)
        np.add.reduce(dy * self.x_hat, axis=self.axes, out=self.gamma.grad)
        if not needs_dx:
            return dy
        scale = self.inverse * self.gamma.value.reshape(self.view)
        if not self.training:
            return np.asarray(dy * scale)
        count = dy.size // len(self.beta.grad)
        dx: Array = self.x_hat * (self.gamma.grad.reshape(self.view) / -count)
        dx += dy
        dx -= self.beta.grad.reshape(self.view) / count
        dx *= scale
        return dx
