"""`engine: auto`: the choice is the config's alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.engines.choice import (
    SHARED_BY,
    WORTH,
    choose,
    estimate,
    supports,
    too_large,
    way,
    why_not_compiled,
)
from nnrun.engines.generated.cost import compiling_seconds, refuses_function
from nnrun.engines.selection import build_engine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.engines.tape.layers import EMITTERS
from nnrun.nn import (
    SGD,
    BatchNorm,
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
from nnrun.runs.preparation.prepare import prepare


def choice(network: Network, batch_size: int, iterations: int) -> str:
    """The engine for plain SGD."""
    return choose(network, SGD(), batch_size=batch_size, iterations=iterations)


@pytest.mark.parametrize(
    ("engine", "iterations"),
    [("numpy", 100), ("compiled", 1_000), ("compiled", 10_000), ("compiled", 1_000_000)],
)
def test_long_runs_of_small_networks_are_compiled(engine: str, iterations: int) -> None:
    """A run must gain its part of the compiling."""
    network = Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), (13,))
    assert engine == choice(network, 1, iterations)


def test_short_runs_are_compiled_where_that_takes_next_to_nothing() -> None:
    """Four inputs, three classes and 500 updates are worth the twentieth of a second."""
    network = Network([dense(3, "softmax")], CrossEntropy(), (4,))
    assert ["numpy", "compiled"] == [choice(network, 1, count) for count in (50, 500)]


def test_what_is_large_goes_to_the_tape() -> None:
    """Wide products and deep images in batches are for kernels, single rows and small networks for
    a function of their own.
    """
    wide = [dense(1024, "relu"), dense(1024, "relu"), dense(10, "softmax")]
    images = [conv2d(20, 5, activation="relu"), MaxPool2d(), Flatten(), dense(10, "softmax")]
    large = Network(wide, CrossEntropy(), (784,), "float32")
    pictures = Network(images, CrossEntropy(), (1, 28, 28), "float32")
    small = Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), (13,))
    assert ["tape", "tape"] == [way(network, SGD(), 64) for network in (large, pictures)]
    assert ["generated", "generated"] == [way(small, SGD(), size) for size in (1, 16)]
    assert "compiled" == choice(large, 64, 10**9)


def deep(layers: int, *more: Any) -> Network:
    """This many layers of 16 units, and these."""
    blocks = [dense(16, "relu") for _ in range(layers)]
    return Network([*blocks, *more, dense(3, "softmax")], CrossEntropy(), (13,))


# What was measured, in seconds, on the machine of the cost model's constants.
COMPILED_IN = [
    (0.1, Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), (13,))),
    (0.87, deep(10)),
    (2.3, deep(20)),
    (
        0.9,
        Network(
            [
                *(layer for n in (32, 64) for layer in (conv2d(n, activation="relu"), MaxPool2d())),
                Flatten(),
                dense(128, "relu"),
                dense(10, "softmax"),
            ],
            CrossEntropy(),
            (1, 28, 28),
            "float32",
        ),
    ),
]


@pytest.mark.parametrize(("seconds", "network"), COMPILED_IN)
def test_what_compiling_costs_is_known(seconds: float, network: Network) -> None:
    """The estimate is that of a measurement to a factor of two."""
    assert seconds / 2 <= compiling_seconds(network) <= 2 * seconds


def test_compiling_has_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long to compile goes to the tape, which compiles nothing for it; where that lacks
    a layer, what takes minutes and gigabytes is NumPy's at any length, with the reason.
    """
    assert ["generated", "tape", "tape"] == [way(deep(n), SGD(), 1) for n in (10, 20, 300)]
    assert "compiled" == choice(deep(300), 1, 10**6)
    assert supports(deep(300), SGD()) is too_large(deep(300)) is None
    assert "tape" == way(deep(300, Dropout(0.5)), SGD(), 16)
    monkeypatch.delitem(EMITTERS, "dropout")
    dropped = deep(300, Dropout(0.5))
    assert "numpy" == choice(dropped, 1, 10**9)
    reason = "compiling a network of this size would take about 258 seconds"
    assert reason == supports(dropped, SGD()) == too_large(dropped)
    assert f"{reason}, so NumPy trains it" == why_not_compiled(dropped)
    assert why_not_compiled(deep(100)) is None


@pytest.mark.parametrize("layers", [1, 4, 10])
def test_compiling_must_pay(layers: int) -> None:
    """Each run must gain its part of it, and a little more."""
    network = deep(layers)
    numpy, compiled = estimate(network, SGD(), 1)
    worth = WORTH + compiling_seconds(network) / SHARED_BY
    enough = int(worth / (numpy - compiled)) + 1
    assert ["numpy", "compiled"] == [choice(network, 1, count) for count in (enough - 1, enough)]


def test_normed_networks_go_to_the_tape() -> None:
    """Networks with batch normalisation or residuals are for kernels, also where runs are short."""
    shipped = prepare(load_config(Path(__file__).parents[2] / "configs" / "mnist_5k_cnn.yaml"))
    images, training = shipped.network, shipped.config.training
    assert "tape" == way(images, training.optimizer.build(), training.batch_size)
    assert "compiled" == shipped.engine
    vectors = [dense(16), BatchNorm(), activation("relu"), dense(3, "softmax")]
    normed = Network(vectors, CrossEntropy(), (13,))
    assert "the compiled engine has no layer batch_norm" == refuses_function(normed, SGD())
    assert "tape" == way(normed, SGD(), 16)
    assert "compiled" == choice(normed, 16, 1_000)
    residual = Network([Residual([dense(13, "relu")]), *vectors], CrossEntropy(), (13,))
    assert ["tape", "tape"] == [way(residual, SGD(), size) for size in (1, 16)]
    assert "compiled" == choice(residual, 16, 1_000)


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
    known, network = (
        Network([dense(2), activation("tanh")], MeanSquared(), (3,)) for _ in range(2)
    )
    assert supports(known, SGD()) is None
    monkeypatch.setattr(network.active_layers[-1], "type", "hard_tanh")
    assert "hard_tanh" in str(supports(network, SGD()))
    assert choice(network, 1, 10**9) == "numpy"


def test_enormous_pooling_windows_are_for_kernels() -> None:
    """A window over a whole image would become pages of source."""
    network = Network([conv2d(2), MaxPool2d(20), Flatten(), dense(2)], MeanSquared(), (1, 30, 30))
    assert "pools at most" in str(refuses_function(network, SGD()))
    assert supports(network, SGD()) is None
    assert "tape" == way(network, SGD(), 1)


@pytest.mark.parametrize(("units", "batch_size", "threads"), [(128, 32, 1), (1024, 128, 3)])
def test_threads_share_updates_that_are_worth_it(units: int, batch_size: int, threads: int) -> None:
    """Small updates have one thread: to meet takes longer where other programs need the cores."""
    network = Network([dense(units, "relu"), dense(10, "softmax")], CrossEntropy(), (64,))
    network.initialize(rng=np.random.default_rng(0))
    optimizer = SGD()
    optimizer.allocate(network.theta)
    x, target = np.zeros((256, 64)), np.eye(10)[np.zeros(256, int)]
    engine = build_engine(
        "compiled", network, optimizer, x, target, rng=np.random.default_rng(0), clip_norm=None,
        batch_size=batch_size, threads=3,
    )  # fmt: skip
    assert isinstance(engine, TapeEngine)
    assert threads == engine.threads
