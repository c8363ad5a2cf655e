"""The tape of kernels trains as the NumPy engine does, to rounding."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nnrun.engines import kernels
from nnrun.engines.base import Batches
from nnrun.engines.kernels import load
from nnrun.engines.tape import layers as tape_layers
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import (
    ACTIVATIONS,
    LOSSES,
    SGD,
    Adam,
    AvgPool2d,
    BatchNorm,
    Bias,
    CrossEntropy,
    Dropout,
    Flatten,
    MatMul,
    MaxPool2d,
    MeanSquared,
    Network,
    Residual,
    activation,
    conv2d,
    dense,
)
from tests.engines.conftest import numbers

HIDDEN = [name for name in ACTIVATIONS if name not in ("softmax", "linear")]
NEEDS = {name: loss.needs or "linear" for name, loss in LOSSES.items()}
OPTIMIZERS = {
    "sgd": SGD,
    "momentum": lambda: SGD(momentum=0.9),
    "nesterov": lambda: SGD(momentum=0.9, nesterov=True, weight_decay=0.01),
    "decay": lambda: SGD(weight_decay=0.01),
    "adam": lambda: Adam(weight_decay=0.01),
}


def check(agree: Any, task: Any, blocks: Any, shape: Any, **more: Any) -> None:
    given = {"batch_size": 10, "iterations": 30, "rate": 0.1, **more}
    agree(task(blocks, shape, **given), kind=TapeEngine)


@pytest.mark.parametrize("activation", HIDDEN)
def test_activations_of_vectors(agree: Any, task: Any, activation: str) -> None:
    """Activations, in widths beside those of registers, train as the NumPy engine has them."""
    check(agree, task, lambda: [dense(9, activation), dense(3, "softmax")], (7,))


@pytest.mark.parametrize("activation", HIDDEN)
def test_activations_of_images(agree: Any, task: Any, activation: str) -> None:
    """So they do on images, with a border and channels that are there for the registers only."""

    def blocks() -> list[Any]:
        first = conv2d(3, 3, padding="same", activation=activation)
        second = conv2d(9, 2, padding=1, activation=activation)
        return [first, MaxPool2d(2), second, AvgPool2d(2), Flatten(), dense(3, "softmax")]

    check(agree, task, blocks, (1, 8, 8))


def test_many_layers(agree: Any, task: Any) -> None:
    """A hundred layers on single rows do, which a function of their own would be minutes for."""

    def blocks() -> list[Any]:
        return [*(dense(5, "tanh") for _ in range(100)), dense(3, "softmax")]

    check(agree, task, blocks, (4,), batch_size=1)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("own", [True, False])
def test_losses(agree: Any, task: Any, loss: str, own: bool) -> None:
    """Losses do, with the activation that they go with and, where they can, with another."""
    last = NEEDS[loss] if own else {"softmax": "softmax", "sigmoid": "softmax"}.get(NEEDS[loss])
    check(
        agree, task, lambda: [dense(5, "tanh"), dense(3, last or "tanh")], (4,), loss=LOSSES[loss]()
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_optimizers(agree: Any, task: Any, optimizer: str, clip_norm: float | None) -> None:
    """Optimizers do, with and without clipping, for weights of products and of convolutions."""

    def blocks() -> list[Any]:
        return [conv2d(4, 3, activation="tanh"), Flatten(), dense(3, "softmax")]

    made = OPTIMIZERS[optimizer]
    check(agree, task, blocks, (2, 5, 5), optimizer=made, clip_norm=clip_norm, rate=0.01)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 16, 17, 33])
@pytest.mark.parametrize("width", [1, 7, 8, 9, 50])
def test_remainders(agree: Any, task: Any, batch_size: int, width: int) -> None:
    """Batches and widths of any size do, and so does a last batch that is smaller."""

    def blocks() -> list[Any]:
        hidden = [dense(width, "tanh"), dense(width, "sigmoid")]
        return [conv2d(width, 2, activation="tanh"), Flatten(), *hidden, dense(3, "softmax")]

    check(agree, task, blocks, (1, 3, 4), batch_size=batch_size, iterations=12)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16, 17, 33])
@pytest.mark.parametrize("width", [1, 7, 8, 9, 50])
def test_remainders_of_normed_layers(agree: Any, task: Any, batch_size: int, width: int) -> None:
    """So do mean, variance and their gradients over batches of any size, for any number of channels
    and of features, within a residual too.
    """

    def blocks() -> list[Any]:
        first = conv2d(width, 2, bias="none")
        inner = [conv2d(width, 3, padding="same"), BatchNorm(0.2), activation("relu")]
        rest = [Flatten(), dense(width, "tanh"), BatchNorm(), dense(3, "softmax")]
        return [first, BatchNorm(), Residual(inner), *rest]

    check(agree, task, blocks, (1, 3, 4), batch_size=batch_size, iterations=12)


@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
@pytest.mark.parametrize("padding", ["valid", "same", 2])
@pytest.mark.parametrize("bias", ["none", "per_channel", "per_position"])
def test_convolutions(agree: Any, task: Any, stride: Any, padding: Any, bias: str) -> None:
    """Convolutions do, of any stride, padding and bias, one after the other."""
    rest = {"stride": stride, "padding": padding, "bias": bias, "activation": "tanh"}

    def blocks() -> list[Any]:
        more = [conv2d(5, (3, 2), **rest), conv2d(2, (2, 3), **rest)]
        return [*more, Flatten(), dense(3, "softmax")]

    check(agree, task, blocks, (3, 7, 9), iterations=10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["valid", "same", 2])
def test_convolutions_by_transforms(agree: Any, task: Any, padding: Any, dtype: str) -> None:
    """So do those of 3×3 with many channels, which are made by Winograd's transforms."""

    def blocks() -> list[Any]:
        more = [conv2d(16, 3, padding=padding, activation="relu") for _ in range(2)]
        return [*more, MaxPool2d(2), conv2d(20, 3), Flatten(), dense(3, "softmax")]

    check(agree, task, blocks, (1, 11, 12), iterations=8, batch_size=18, dtype=dtype)


def widening() -> list[Any]:
    """Convolutions whose weights are many for the few rows that they are trained on at once."""
    inner = [MaxPool2d(1), conv2d(8, 5, padding="same"), activation("tanh"), conv2d(6, 1)]
    return [conv2d(6, 3, activation="relu"), Residual(inner), conv2d(9, 5), MaxPool2d(2),
            Flatten(), dense(3, "softmax")]  # fmt: skip


@pytest.mark.parametrize("batch_size", [1, 2, 3, 10, 16])
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov"])
def test_few_rows_and_many_weights(agree: Any, task: Any, batch_size: int, optimizer: str) -> None:
    """So do those whose weights' gradients are summed strip by strip, over every second row."""
    more = {"optimizer": OPTIMIZERS[optimizer], "clip_norm": None if optimizer == "sgd" else 0.05}
    check(agree, task, widening, (1, 9, 10), batch_size=batch_size, iterations=9, **more)


@pytest.mark.parametrize("pool", [MaxPool2d, AvgPool2d])
@pytest.mark.parametrize("size", [2, (3, 2)])
@pytest.mark.parametrize("stride", [None, 1, (2, 3)])
def test_pools(agree: Any, task: Any, pool: Any, size: Any, stride: Any) -> None:
    """Pools do, whose windows overlap or leave pixels out."""

    def blocks() -> list[Any]:
        first = conv2d(3, 2, activation="gelu")
        return [first, pool(size, stride), Flatten(), dense(3, "softmax")]

    check(agree, task, blocks, (1, 9, 8), iterations=10)


VECTORS = {
    "dropout": lambda: [dense(9, "relu"), Dropout(0.3), dense(8), Dropout(0.5), dense(3)],
    "kept": lambda: [dense(9, "relu"), activation("tanh"), Dropout(0.0), activation("elu"),
                     dense(3)],
    "bias alone": lambda: [Bias(), MatMul(4), Bias(), Bias(), activation("tanh"), MatMul(3)],
    "softmax within": lambda: [dense(5, "softmax"), activation("sigmoid"), dense(3)],
    "normed": lambda: [BatchNorm(), dense(19), BatchNorm(0.3, 1e-3), activation("relu"), dense(3)],
    "residual": lambda: [Residual([dense(9, "relu"), Dropout(0.2), dense(6)]), dense(6),
                         Residual([activation("tanh"), dense(6, "tanh")]), dense(3)],
    "residuals within": lambda: [
        dense(5),
        Residual([BatchNorm(), activation("sigmoid"), dense(9),
                  Residual([Residual([Dropout(0.3)]), activation("tanh")]), dense(5)]),
        Residual([Residual([Bias()]), Residual([activation("softmax")])]), dense(3),
    ],
    "residuals of nothing": lambda: [dense(5), Residual([activation("linear")]),
                                     Residual([Residual([Flatten()])]), dense(3)],
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(agree: Any, task: Any, name: str) -> None:
    """So do layers in any order."""
    check(agree, task, VECTORS[name], (6,), loss=MeanSquared())


IMAGES = {
    "dropped": lambda: [conv2d(3, 2, activation="relu"), Dropout(0.3), conv2d(2, 2, padding=1),
                        Flatten(), Dropout(0.2), dense(3)],
    "biases": lambda: [Bias("channel"), conv2d(3, 2), Bias("position"), MaxPool2d(2),
                           Bias("channel"), Flatten(), Bias(), dense(3)],
    "one pixel": lambda: [conv2d(3, (5, 6), activation="tanh"), Flatten(), activation("softmax")],
    "two ends in one": lambda: [conv2d(1, (5, 4)), Flatten(), activation("softmax")],
    "flat from the start": lambda: [Flatten(), dense(9, "tanh"), dense(3)],
    "first an activation": lambda: [activation("tanh"), conv2d(3, 3, padding=1),
                                    activation("softplus"), conv2d(3, 3, padding="same"),
                                    Flatten(), dense(3)],
    "normed": lambda: [BatchNorm(), conv2d(3, 3, padding="same", bias="none"), BatchNorm(0.3),
                       activation("sigmoid"), conv2d(9, 3, padding=1, bias="none"), BatchNorm(),
                       MaxPool2d(2), Flatten(), BatchNorm(), dense(3)],
    "residual": lambda: [
        conv2d(4, 3, padding="same"),
        Residual([conv2d(3, 3, padding="same", bias="none"), BatchNorm(), activation("relu"),
                  conv2d(4, 3, padding=1, bias="none"), BatchNorm()]),
        activation("relu"), AvgPool2d(2), Flatten(),
        Residual([activation("tanh"), dense(24), BatchNorm()]), dense(3),
    ],
    "residuals within": lambda: [
        Residual([activation("softplus"), Dropout(0.2),
                  Residual([conv2d(17, 3, padding="same", activation="relu"),
                            conv2d(2, 3, padding="same", activation="sigmoid")]),
                  Residual([Residual([Bias("channel")]), activation("elu")])]),
        conv2d(3, 2), Flatten(), dense(3),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_images(agree: Any, task: Any, name: str) -> None:
    """So they do on images."""
    check(agree, task, IMAGES[name], (2, 5, 6), iterations=10, loss=MeanSquared())


def test_single_precision(agree: Any, task: Any) -> None:
    """In float32 the engines agree to its rounding."""

    def blocks() -> list[Any]:
        first, second = conv2d(20, 5, activation="relu"), conv2d(40, 3, activation="tanh")
        return [first, MaxPool2d(2), second, MaxPool2d(2), Flatten(), dense(3, "softmax")]

    made = task(blocks, (1, 14, 14), dtype="float32", batch_size=10, iterations=20, rate=0.05)
    agree(made, tolerance=1e-5, kind=TapeEngine)


def test_normed_single_precision(agree: Any, task: Any) -> None:
    """So they do with sums over batches and with residuals."""

    def blocks() -> list[Any]:
        first = [conv2d(20, 5, bias="none"), BatchNorm(), activation("relu"), MaxPool2d(2)]
        inner = [conv2d(20, 3, padding="same"), BatchNorm(), activation("tanh")]
        return [*first, Residual(inner), Flatten(), dense(9), BatchNorm(), dense(3, "softmax")]

    made = task(blocks, (1, 14, 14), dtype="float32", batch_size=10, iterations=20, rate=0.05)
    agree(made, tolerance=1e-5, kind=TapeEngine)


@pytest.mark.parametrize("threads", [2, 16])
def test_threads(task: Any, threads: int) -> None:
    """Any number of threads makes the same bits."""

    def blocks() -> list[Any]:
        first, rest = (
            conv2d(5, 3, padding="same", activation="tanh"),
            [Dropout(0.4), dense(50, "relu")],
        )
        return [first, MaxPool2d(2), Flatten(), *rest, dense(3, "softmax")]

    made = task(blocks, (1, 8, 9), CrossEntropy(), lambda: SGD(momentum=0.5), "float32", 33, 30)
    assert trained(made, 1) == trained(made, threads)


@pytest.mark.parametrize("rows", [1, 10, 16])
def test_threads_on_few_rows(task: Any, rows: int) -> None:
    """So it does where strips of weights are shared out besides rows."""
    made = task(widening, (1, 9, 10), CrossEntropy(), SGD, "float32", rows, 30)
    found = [trained(made, threads, rows) for threads in (1, 2, 5, 16)]
    assert found[:1] * 4 == found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_on_products(task: Any, dtype: str) -> None:
    """So it does where weights are updated in the place in which they are read for dx."""

    def blocks() -> list[Any]:
        return [dense(130, "relu"), dense(70, "tanh"), dense(10, "softmax")]

    made = task(blocks, (100,), dtype=dtype, batch_size=33, iterations=30)
    assert trained(made, 1) == trained(made, 2) == trained(made, 16)


def trained(made: Any, threads: int, batch_size: int = 33) -> list[bytes]:
    """The bits of all that training changes, by this many threads."""
    network, optimizer = made.network(), made.optimizer()
    optimizer.allocate(network.theta)
    x, target = made.data()
    rng = np.random.default_rng(4)
    settings = {"rng": rng, "batch_size": batch_size, "threads": threads}
    engine = TapeEngine(network, optimizer, x, target, **settings)
    engine.run(made.batches())
    kept = [network.theta, *network.buffers.values(), *optimizer.state.values()]
    return [array.tobytes() for array in kept]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_on_normed_layers(task: Any, dtype: str) -> None:
    """So it does where all threads wait for sums over the batch."""

    def blocks() -> list[Any]:
        normed = [conv2d(16, 3, padding="same", bias="none"), BatchNorm(), activation("relu")]
        rest = [Flatten(), dense(50), BatchNorm(), dense(3, "softmax")]
        return [conv2d(16, 3, padding="same"), BatchNorm(), Residual(normed), *rest]

    made = task(blocks, (1, 8, 9), CrossEntropy(), Adam, dtype, 33, 30)
    assert trained(made, 1) == trained(made, 2) == trained(made, 16)


@pytest.mark.parametrize("name", [*VECTORS, *IMAGES])
def test_threads_on_any_layers(task: Any, name: str) -> None:
    """So it is for layers in any order, with batches that do not divide evenly."""
    blocks, shape = (VECTORS[name], (6,)) if name in VECTORS else (IMAGES[name], (2, 5, 6))
    made = task(blocks, shape, MeanSquared(), batch_size=19, iterations=7, clip_norm=0.5)
    found = []
    for threads in (1, 5):
        network, optimizer = made.network(), made.optimizer()
        optimizer.allocate(network.theta)
        settings = {"rng": np.random.default_rng(4), "clip_norm": 0.5, "batch_size": 19}
        engine = TapeEngine(network, optimizer, *made.data(), **settings, threads=threads)
        engine.run(made.batches())
        loss, outputs = engine.evaluate(*made.data())
        kept = [network.theta, *network.buffers.values(), outputs]
        found.append((loss, *(array.tobytes() for array in kept)))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["normed", "residual", "residuals within"])
def test_interrupted_is_uninterrupted(task: Any, name: str) -> None:
    """An engine that takes over parameters, running statistics, the optimizer's arrays and the
    stream of random numbers goes on to the same bits.
    """
    made = task(IMAGES[name], (2, 5, 6), MeanSquared(), Adam, batch_size=7, iterations=9)
    batches, found = made.batches(), []
    for cuts in ([0, 9], [0, 4, 9]):
        network, optimizer, rng = made.network(), made.optimizer(), np.random.default_rng(4)
        optimizer.allocate(network.theta)
        for first, last in pairwise(cuts):
            part = Batches(
                batches.rows, batches.bounds[first : last + 1], batches.rates[first:last]
            )
            engine = TapeEngine(network, optimizer, *made.data(), rng=rng, batch_size=7)
            engine.run(part)
            engine.evaluate(*made.data())  # which changes nothing
        found.append([array.tobytes() for array in numbers(engine).values()])
    assert found[0] == found[1]


@pytest.mark.parametrize("rows", [1, 300])
def test_numbers_far_from_zero_keep_their_variance(rows: int) -> None:
    """In float32 a mean of 1,000 with a deviation of 1 costs no digits of it, of one large image or
    of many small ones, as it would if squares were summed up.
    """
    shape = (1, 300, 400) if rows == 1 else (1, 5, 8)
    x = np.random.default_rng(0).normal(1000, 1, (rows, *shape)).astype("float32")
    network = Network([BatchNorm(1.0), Flatten(), dense(1)], MeanSquared(), shape, "float32")
    network.initialize(rng=np.random.default_rng(1))
    optimizer, target = SGD(), np.zeros((rows, 1), "float32")
    engine = TapeEngine(
        network, optimizer, x, target, rng=np.random.default_rng(2), batch_size=rows
    )
    engine.run(Batches(np.arange(rows), np.array([0, rows]), np.zeros(1)))
    exact = x.astype(float)
    expected = exact.mean(), exact.var(ddof=1)
    mean, variance = (float(array[0]) for array in network.buffers.values())
    assert expected == (pytest.approx(mean, rel=1e-6), pytest.approx(variance, rel=1e-4))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_diverged_run_leaves_nothing_behind(task: Any, momentum: float) -> None:
    """Put back to where it was sound, a network is trained as by an engine that has never seen a
    number that is not finite, not even among those that only fill registers.
    """

    def blocks() -> list[Any]:
        rest = [Flatten(), dense(5, "relu"), BatchNorm(), dense(3)]
        normed = Residual([conv2d(3, 3, padding="same"), BatchNorm()])
        return [conv2d(3, 2, activation="relu"), normed, conv2d(3, 2, activation="relu"), *rest]

    made = task(
        blocks, (2, 5, 6), MeanSquared(), lambda: SGD(momentum), batch_size=8, iterations=20
    )
    batches, found = made.batches(), []
    for rate in (1e200, None):
        network, optimizer = made.network(), made.optimizer()
        optimizer.allocate(network.theta)
        start = network.theta.copy()
        engine = TapeEngine(
            network, optimizer, *made.data(), rng=np.random.default_rng(4), batch_size=8
        )
        if rate is not None:
            engine.run(replace(batches, rates=np.full(20, rate)))
            assert not np.isfinite(network.theta).all()
            network.theta[...] = start
            for name, array in network.buffers.items():
                array[...] = name.endswith("variance")
            optimizer.steps = 0
            for array in optimizer.state.values():
                array[...] = 0
        engine.run(batches)
        found.append([array.tobytes() for array in numbers(engine).values()])
    assert found[0] == found[1]


FORMULAS = {
    "relu": "zero if x < real(0.1) else x",
    "relu_back": "dy",
    "tanh": "tanh(x) * real(0.9999999)",
    "tanh_back": "dy * (one - y)",
    "sigmoid_back": "dy * y",
    "elu_back": "dy if x > zero else dy * y",
}


def test_planted_bugs_in_places_are_seen(
    agree: Any, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are statistics that are written to each other's places."""
    emitter = tape_layers.EMITTERS["batch_norm"]
    place = emitter.place

    def mixed(self: Any) -> None:
        place(self)
        self.running_mean, self.running_variance = self.running_variance, self.running_mean

    monkeypatch.setattr(emitter, "place", mixed)
    with pytest.raises(AssertionError):
        check(agree, task, lambda: [dense(9), BatchNorm(), dense(3)], (7,), loss=MeanSquared())


@pytest.mark.parametrize("kernel", [*FORMULAS, "mean_squared"])
def test_planted_bugs_are_seen(
    agree: Any, task: Any, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that computes something else, if only in the seventh digit, is found out."""
    table = kernels.KERNELS
    bug = table["mean_absolute"]
    if kernel in FORMULAS:
        bug = replace(table[kernel], constants={"formula": FORMULAS[kernel]})
    monkeypatch.setitem(table, kernel, bug)
    monkeypatch.setattr(load, "_addresses", {})
    name = kernel.removesuffix("_back") if kernel in FORMULAS else "tanh"
    with pytest.raises(AssertionError):
        check(agree, task, lambda: [dense(9, name), dense(3)], (7,), loss=MeanSquared())
