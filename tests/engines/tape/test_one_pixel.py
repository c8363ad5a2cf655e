"""Maps of one pixel, which lie as vectors do but may have a border, train as in NumPy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nnrun.data.builtin.fetched import digits
from nnrun.engines.base import Batches
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import (
    SGD,
    Adam,
    BatchNorm,
    Bias,
    CrossEntropy,
    Dropout,
    Flatten,
    MaxPool2d,
    MeanSquared,
    Network,
    Residual,
    activation,
    conv2d,
    dense,
)
from tests.engines.trained import shuffled, trained


def check(make: Any, optimizer: Any, data: Any, batches: Batches, tolerance: float) -> float:
    """The tape ends where NumPy does, three times with the same bits; the loss there."""
    loss, _ = trained(NumpyEngine, make(), optimizer(), data, batches)
    runs = [trained(TapeEngine, make(), optimizer(), data, batches) for _ in range(3)]
    for (one, theta_one), (other, theta_other) in pairwise(runs):
        assert one == other
        np.testing.assert_array_equal(theta_one, theta_other)
    assert loss == pytest.approx(runs[0][0], rel=tolerance)
    return float(loss)


def test_a_residual_of_one_pixel() -> None:
    """A convolution with a border, of the output of an activation that is an array of its own."""

    def make() -> Network:
        inner = Residual([conv2d(16, 3, padding="same")])
        blocks = [conv2d(16, 1, activation="gelu"), inner, Flatten(), dense(1)]
        return Network(blocks, MeanSquared(), (1, 1, 1), "float64")

    rng = np.random.default_rng(0)
    data = rng.standard_normal((8, 1, 1, 1)), rng.standard_normal((8, 1))
    check(make, SGD, data, shuffled(8, 8, 100), 1e-12)


def test_digits() -> None:
    """Three poolings down to one pixel, and convolutions with a border around it."""

    def make() -> Network:
        blocks = [
            *[conv2d(16, 3, padding="same", activation="relu"), MaxPool2d(2)],
            *[conv2d(32, 3, padding="same", activation="relu"), MaxPool2d(2), MaxPool2d(2)],
            *[conv2d(64, 3, padding="same"), BatchNorm(), activation("relu")],
            *[conv2d(64, 3, padding="same"), Flatten(), dense(10, "softmax")],
        ]
        return Network(blocks, CrossEntropy(), (1, 8, 8), "float64")

    held = digits()
    x = np.ascontiguousarray(held.x[:256].reshape(-1, 1, 8, 8) / 16)
    data = x, np.eye(10)[held.y[:256].astype(int)]
    assert check(make, Adam, data, shuffled(256, 32, 60), 1e-8) < 1.0


PRODUCERS: dict[str, Any] = {
    "batch_norm": lambda: [BatchNorm()],
    "gelu": lambda: [activation("gelu")],
    "softplus": lambda: [activation("softplus")],
    "dropout": lambda: [Dropout(0.3)],
    "bias": lambda: [activation("tanh"), Bias()],
    "residual": lambda: [Residual([activation("tanh")])],
}


@pytest.mark.parametrize("name", PRODUCERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_that_put_out_one_pixel(name: str, dtype: str, agree: Any, task: Any) -> None:
    """Whatever has an output of its own, for channels on both sides of registers and pitches."""
    for channels in (1, 7, 8, 9, 16, 25, 32, 41, 48, 57, 64, 65, 121, 128):

        def blocks(channels: int = channels) -> list[Any]:
            first = conv2d(channels, 1, bias="none")
            last = conv2d(3, 3, padding="same", activation="tanh")
            return [first, *PRODUCERS[name](), last, Flatten(), dense(2)]

        one = task(
            blocks, (2, 1, 1), MeanSquared(), dtype=dtype, batch_size=7, iterations=20, rate=0.05
        )
        agree(one, 1e-9 if dtype == "float64" else 1e-4, TapeEngine)
