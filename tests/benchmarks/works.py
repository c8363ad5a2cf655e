"""The pieces of work that speed is measured on, W1 to W7, and their data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Dense:
    """activation(x w + b)."""

    units: int
    activation: str = "linear"


@dataclass(frozen=True)
class Conv:
    """activation(w * x + b) with kernels of 3×3, stride 1, no padding."""

    channels: int
    activation: str
    bias: str = "per_channel"


@dataclass(frozen=True)
class MaxPool:
    """The largest of each 2×2 window."""


@dataclass(frozen=True)
class Flatten:
    """Images to vectors."""


Layer = Dense | Conv | MaxPool | Flatten


@dataclass(frozen=True)
class Work:
    """One network and how it is trained: plain SGD at a constant rate, nothing evaluated.

    `iterations` is how many updates one timed call of a compiled contestant makes, and
    `few_iterations` how many one of a contestant makes that takes microseconds for each.
    """

    id: str
    title: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    loss: str
    rate: float
    iterations: int
    few_iterations: int
    rows: int = 400
    batch_size: int = 1
    dtype: str = "float64"

    @property
    def outputs(self) -> int:
        """Numbers in a row of targets."""
        units = [layer.units for layer in self.layers if isinstance(layer, Dense)]
        return units[-1]

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and targets (one-hot for cross-entropy), drawn once."""
        rng = np.random.default_rng(1)
        x = rng.standard_normal((self.rows, *self.input_shape)).astype(self.dtype)
        if self.loss == "mean_squared":
            target = rng.standard_normal((self.rows, self.outputs))
        else:
            target = np.eye(self.outputs)[rng.integers(self.outputs, size=self.rows)]
        return x, target.astype(self.dtype)

    @cached_property
    def order(self) -> np.ndarray:
        """The rows of all iterations one after the other: whole shuffled epochs for minibatches."""
        rng = np.random.default_rng(2)
        count = self.iterations * self.batch_size
        if self.batch_size == 1:
            return rng.integers(self.rows, size=count)
        epochs = -(-count // self.rows)
        return np.concatenate([rng.permutation(self.rows) for _ in range(epochs)])[:count]


_LENET = (
    Conv(16, "relu"),
    MaxPool(),
    Conv(32, "relu"),
    MaxPool(),
    Flatten(),
    Dense(10, "softmax"),
)

WORKS = {
    work.id: work
    for work in (
        Work(
            "W1", "13 → 1 linear, mean squared", (13,), (Dense(1),),
            "mean_squared", 0.01, 1_000_000, 4_000,
        ),
        Work(
            "W2", "4 → 3 softmax, cross-entropy", (4,), (Dense(3, "softmax"),),
            "cross_entropy", 0.01, 500_000, 4_000,
        ),
        Work(
            "W3", "13 → 13 sigmoid → 1 linear, mean squared", (13,),
            (Dense(13, "sigmoid"), Dense(1)), "mean_squared", 0.01, 200_000, 4_000,
        ),
        Work(
            "W4", "64 → 89 tanh → 10 softmax, cross-entropy", (64,),
            (Dense(89, "tanh"), Dense(10, "softmax")), "cross_entropy", 0.01, 50_000, 4_000,
        ),
        Work(
            "W5", "1×8×8 → conv 16 of 3×3, bias per position, tanh → 10 softmax, cross-entropy",
            (1, 8, 8), (Conv(16, "tanh", "per_position"), Flatten(), Dense(10, "softmax")),
            "cross_entropy", 0.01, 20_000, 2_000,
        ),
        Work(
            "W6", "784 → 256 relu → 10 softmax, cross-entropy, batches of 64, float32", (784,),
            (Dense(256, "relu"), Dense(10, "softmax")),
            "cross_entropy", 0.05, 100, 100, rows=6_400, batch_size=64, dtype="float32",
        ),
        Work(
            "W7", "1×28×28 → conv 16, relu, pool → conv 32, relu, pool → 10 softmax, "
            "cross-entropy, batches of 64, float32", (1, 28, 28), _LENET,
            "cross_entropy", 0.05, 20, 20, rows=1_280, batch_size=64, dtype="float32",
        ),
    )
}  # fmt: skip
