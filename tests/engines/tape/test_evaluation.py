"""A tape evaluates as the network's layers do, to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import ACTIVATIONS, LOSSES, SGD, Dropout, Flatten, MaxPool2d, conv2d, dense

NEEDS = {name: loss.needs or "linear" for name, loss in LOSSES.items()}


def engine_of(task: Any, rows: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """An engine, untrained, and rows with their targets."""
    network, optimizer = task.network(), task.optimizer()
    optimizer.allocate(network.theta)
    x, target = task.data()
    which = np.random.default_rng(9).integers(len(x), size=rows)
    made = TapeEngine(
        network, optimizer, x, target, rng=np.random.default_rng(4), batch_size=task.batch_size
    )
    return made, x[which], target[which]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rows", [1, 63, 200])
def test_losses_and_outputs(task: Any, loss: str, rows: int) -> None:
    """Of any number of rows, and after dropout, which an evaluation leaves out."""

    def blocks() -> list[Any]:
        first = conv2d(3, 2, padding="same", activation="gelu")
        rest = [Flatten(), Dropout(0.5), dense(9, "tanh"), dense(3, NEEDS[loss])]
        return [first, Dropout(0.3), MaxPool2d(2), *rest]

    made = task(blocks, (2, 5, 6), LOSSES[loss](), batch_size=7)
    engine, x, target = engine_of(made, rows)
    expected, outputs = engine.network.evaluate(x, target)
    value, actual = engine.evaluate(x, target)
    assert abs(value - expected) < 1e-13 * max(1, abs(expected))
    assert actual.shape == outputs.shape
    assert np.abs(actual - outputs).max() < 1e-14 * max(1, np.abs(outputs).max())


def test_other_shapes_are_refused(task: Any) -> None:
    """Rows or targets that the network does not take are never read."""
    engine, x, target = engine_of(task(lambda: [dense(3)], (4,), LOSSES["huber"]()), 5)
    for rows, wanted in ((x[:, :2], target), (x, target[:, :1]), (x, target[:3])):
        with pytest.raises(ValueError, match="shapes"):
            engine.evaluate(rows, wanted)


def test_a_loss_apart_from_its_activation(task: Any) -> None:
    """A cross-entropy of what is no softmax, and of an image that was flattened."""
    blocks = [lambda: [conv2d(1, (5, 4)), Flatten(), ACTIVATIONS["sigmoid"]()]]
    made = task(blocks[0], (2, 5, 6), LOSSES["cross_entropy"](), batch_size=7)
    engine, x, target = engine_of(made, 20)
    expected, outputs = engine.network.evaluate(x, target)
    value, actual = engine.evaluate(x, target)
    assert abs(value - expected) < 1e-13
    assert np.abs(actual - outputs).max() < 1e-14


def test_extremes(task: Any) -> None:
    """Logits of ±10,000 cost what they cost, and no more."""
    made = task(lambda: [dense(3, "softmax")], (4,), LOSSES["cross_entropy"](), SGD)
    engine, x, target = engine_of(made, 50)
    engine.network.theta *= 10_000
    expected, _ = engine.network.evaluate(x, target)
    assert abs(engine.evaluate(x, target)[0] / expected - 1) < 1e-14


@pytest.mark.parametrize("batch_size", [1, 7])
def test_losses_of_batches(task: Any, batch_size: int) -> None:
    """On request each batch's loss before its update, as NumPy's; asking for it changes no bit."""

    def blocks() -> list[Any]:
        return [dense(5, "tanh"), Dropout(0.4), dense(3, "softmax")]

    one = task(blocks, (4,), batch_size=batch_size, iterations=50)
    batches, engines, losses = one.batches(), [], []
    for kind, asked in ((NumpyEngine, True), (TapeEngine, True), (TapeEngine, False)):
        network, optimizer = one.network(), one.optimizer()
        optimizer.allocate(network.theta)
        settings: dict[str, Any] = {"rng": np.random.default_rng(4)}
        if kind is TapeEngine:
            settings |= {"batch_size": batch_size, "losses": asked}
        engines.append(kind(network, optimizer, *one.data(), **settings))
        losses.append(np.zeros(len(batches)))
        engines[-1].run(batches, *([losses[-1]] if asked else []))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)
    np.testing.assert_array_equal(engines[1].network.theta, engines[2].network.theta)
    with pytest.raises(ValueError, match="built without `losses`"):
        engines[2].run(batches, losses[2])
