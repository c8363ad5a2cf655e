"""`engine: auto`: the choice is the config's alone."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.engines.compiled import choose, supports
from nnrun.nn import (
    SGD,
    CrossEntropy,
    Flatten,
    MaxPool2d,
    MeanSquared,
    Network,
    activation,
    conv2d,
    dense,
)


def choice(network: Network, batch_size: int, iterations: int) -> str:
    """The engine for plain SGD."""
    return choose(network, SGD(), batch_size=batch_size, iterations=iterations)


@pytest.mark.parametrize(
    ("engine", "iterations"),
    [("numpy", 100), ("numpy", 1_000), ("compiled", 10_000), ("compiled", 1_000_000)],
)
def test_long_runs_of_small_networks_are_compiled(engine: str, iterations: int) -> None:
    """Compiling must pay for itself within the run."""
    network = Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), (13,))
    assert engine == choice(network, 1, iterations)


def test_wide_layers_in_batches_go_to_blas() -> None:
    """However long the run: matrix products of this size are faster in NumPy."""
    layers = [dense(1024, "relu"), dense(1024, "relu"), dense(10, "softmax")]
    network = Network(layers, CrossEntropy(), (784,), "float32")
    assert choice(network, 64, 10**9) == "numpy"


def test_small_images_are_compiled() -> None:
    """Direct convolutions beat patches copied into matrices."""
    blocks: list[Any] = [
        conv2d(16, activation="relu"),
        MaxPool2d(),
        Flatten(),
        dense(10, "softmax"),
    ]
    network = Network(blocks, CrossEntropy(), (1, 28, 28), "float32")
    assert choice(network, 64, 1_000) == "compiled"


def test_what_cannot_be_compiled_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer without an emitter is trained by NumPy, and the reason is given."""
    network = Network([dense(2), activation("tanh")], MeanSquared(), (3,))
    assert supports(network, SGD()) is None
    monkeypatch.setattr(network.trunk[-1], "type", "hard_tanh")
    assert "hard_tanh" in str(supports(network, SGD()))
    assert choice(network, 1, 10**9) == "numpy"


def test_enormous_pooling_windows_are_not_compiled() -> None:
    """A window over a whole image would become pages of source."""
    network = Network([conv2d(2), MaxPool2d(20), Flatten(), dense(2)], MeanSquared(), (1, 30, 30))
    assert "pools at most" in str(supports(network, SGD()))
