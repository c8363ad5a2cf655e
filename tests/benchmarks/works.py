"""The pieces of work that speed is measured on, W1 to W13: their layers and their data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Dense:
    """activation(x w + b)."""

    units: int
    activation: str = "linear"


@dataclass(frozen=True)
class Conv:
    """activation(w * x + b) with square kernels, stride 1."""

    channels: int
    activation: str
    bias: Literal["per_channel", "per_position"] = "per_channel"
    kernel: int = 3
    padding: Literal["valid", "same"] = "valid"

    @property
    def border(self) -> int:
        """Zeros on each side of the image; kernels are odd where there are any."""
        return self.kernel // 2 if self.padding == "same" else 0


@dataclass(frozen=True)
class Pool:
    """The largest number of each 2×2 window, or its mean."""

    kind: Literal["max", "average"] = "max"


@dataclass(frozen=True)
class Flatten:
    """Images to vectors."""


Layer = Dense | Conv | Pool | Flatten


# The pieces of work that speed is measured on, W1 to W13, and their data.


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


_PER_SAMPLE = (
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
)  # fmt: skip


def _minibatches(
    name: str,
    title: str,
    input_shape: tuple[int, ...],
    layers: tuple[Layer, ...],
    *,
    batch_size: int,
    iterations: int,
    rate: float = 0.01,
) -> Work:
    """Classification in float32; one timed call is an epoch."""
    return Work(
        name, f"{title}, cross-entropy, batches of {batch_size}, float32", input_shape, layers,
        "cross_entropy", rate, iterations, iterations,
        rows=iterations * batch_size, batch_size=batch_size, dtype="float32",
    )  # fmt: skip


_IN_MINIBATCHES = (
    _minibatches(
        "W6", "784 → 256 relu → 10 softmax", (784,),
        (Dense(256, "relu"), Dense(10, "softmax")), batch_size=64, iterations=100, rate=0.05,
    ),
    _minibatches(
        "W7", "1×28×28 → conv 16, relu, pool → conv 32, relu, pool → 10 softmax", (1, 28, 28),
        (
            *(Conv(16, "relu"), Pool()),
            *(Conv(32, "relu"), Pool()),
            *(Flatten(), Dense(10, "softmax")),
        ), batch_size=64, iterations=20, rate=0.05,
    ),
    _minibatches(
        "W8", "LeNet-5's shape: 1×28×28 → conv 6 of 5×5 same, tanh, average pool → conv 16 of "
        "5×5, tanh, average pool → 120 tanh → 84 tanh → 10 softmax", (1, 28, 28),
        (
            *(Conv(6, "tanh", kernel=5, padding="same"), Pool("average")),
            *(Conv(16, "tanh", kernel=5), Pool("average")),
            *(Flatten(), Dense(120, "tanh"), Dense(84, "tanh"), Dense(10, "softmax")),
        ), batch_size=64, iterations=20,
    ),
    _minibatches(
        "W9", "1×28×28 → conv 32 of 3×3 same, relu, pool → conv 64 of 3×3 same, relu, pool → "
        "128 relu → 10 softmax", (1, 28, 28),
        (
            *(Conv(32, "relu", padding="same"), Pool()),
            *(Conv(64, "relu", padding="same"), Pool()),
            *(Flatten(), Dense(128, "relu"), Dense(10, "softmax")),
        ), batch_size=64, iterations=10,
    ),
    _minibatches(
        "W10", "a VGG block: 3×32×32 → conv 64, conv 64, pool, conv 128, pool, all 3×3 same, "
        "relu → 10 softmax", (3, 32, 32),
        (
            *(Conv(64, "relu", padding="same"), Conv(64, "relu", padding="same"), Pool()),
            *(Conv(128, "relu", padding="same"), Pool()),
            *(Flatten(), Dense(10, "softmax")),
        ), batch_size=32, iterations=4,
    ),
    _minibatches(
        "W11", "784 → 1024 → 1024 relu → 10 softmax", (784,),
        (Dense(1024, "relu"), Dense(1024, "relu"), Dense(10, "softmax")),
        batch_size=128, iterations=20,
    ),
    _minibatches(
        "W12", "784 → 2048 → 2048 → 2048 relu → 10 softmax", (784,),
        (*3 * (Dense(2048, "relu"),), Dense(10, "softmax")), batch_size=128, iterations=8,
    ),
    _minibatches(
        "W13", "1×28×28 → conv 20 of 5×5, relu, pool → conv 40 of 5×5, relu, pool → 100 relu → "
        "10 softmax", (1, 28, 28),
        (
            *(Conv(20, "relu", kernel=5), Pool()),
            *(Conv(40, "relu", kernel=5), Pool()),
            *(Flatten(), Dense(100, "relu"), Dense(10, "softmax")),
        ), batch_size=10, iterations=100,
    ),
)  # fmt: skip

WORKS = {work.id: work for work in (*_PER_SAMPLE, *_IN_MINIBATCHES)}
