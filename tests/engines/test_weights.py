"""A row with a weight of 2 is the row twice, by every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import LOSSES, SGD, Adam, Dropout, Flatten, Network, conv2d, dense
from nnrun.nn.losses.weighted import join_weights
from nnrun.nn.signature import Array
from tests.nn.losses.test_losses import targets

ENGINES = pytest.mark.parametrize("kind", [NumpyEngine, CompiledEngine, TapeEngine])
WEIGHTS = np.array([2, 0, 1, 1, 3, 0, 1, 2, 1, 4])
TWICE = np.repeat(np.arange(len(WEIGHTS)), WEIGHTS)
UPDATES = 10


def made(
    kind: Any, loss: str, x: Array, target: Array, optimizer: Any, weighted: bool, **more: Any
) -> Any:
    """An engine with a network of convolution and dense layers, the same at every call."""
    blocks = [conv2d(4, 2, activation="tanh"), Flatten(), dense(3, LOSSES[loss].needs or "linear")]
    network = Network(blocks, LOSSES[loss](), (1, 3, 3), x.dtype, weighted=weighted)
    network.initialize(rng=np.random.default_rng(1))
    optimizer.allocate(network.theta)
    more = {} if kind is NumpyEngine else {"batch_size": len(x), **more}
    return kind(network, optimizer, x, target, rng=np.random.default_rng(2), **more)


def full(rows: int) -> Batches:
    """All rows, again and again."""
    order = np.tile(np.arange(rows), UPDATES)
    return Batches(order, rows * np.arange(UPDATES + 1), np.full(UPDATES, 0.1))


def data(loss: str, dtype: str = "float64") -> tuple[Array, Array]:
    """Rows and targets that suit a loss."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((len(WEIGHTS), 1, 3, 3))
    return x.astype(dtype), targets(loss, (len(WEIGHTS), 3), rng).astype(dtype)


@ENGINES
@pytest.mark.parametrize("optimizer", [SGD, Adam])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_weight_of_two_is_the_row_twice(kind: Any, optimizer: Any, loss: str) -> None:
    """Ten updates with all rows and their weights end where ten with repeated rows do, to 1e-12;
    so do the losses of the batches and of the rows.
    """
    x, t = data(loss)
    repeated = made(NumpyEngine, loss, x[TWICE], t[TWICE], optimizer(), weighted=False)
    expected, actual = np.empty(UPDATES), np.empty(UPDATES)
    repeated.run(full(len(TWICE)), expected)

    weighted = join_weights(t, WEIGHTS / WEIGHTS.mean())
    engine = made(kind, loss, x, weighted, optimizer(), weighted=True, losses=True)
    engine.run(full(len(x)), actual)

    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    np.testing.assert_allclose(engine.network.theta, repeated.network.theta, rtol=0, atol=1e-12)
    assert repeated.evaluate(x[TWICE], t[TWICE])[0] == pytest.approx(
        engine.evaluate(x, weighted)[0], rel=1e-12
    )


@ENGINES
def test_single_rows_are_weighted(kind: Any) -> None:
    """A batch of one row takes a step as long as its weight."""
    x, t = data("mean_squared")
    ends = []
    for weight, rate in ((1.0, 0.3), (3.0, 0.1)):
        target = join_weights(t, np.full(len(t), weight))
        engine = made(kind, "mean_squared", x, target, SGD(), weighted=True)
        engine.run(Batches(np.arange(5), np.arange(6), np.full(5, rate)))
        ends.append(engine.network.theta.copy())

    np.testing.assert_allclose(*ends, rtol=0, atol=1e-13)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_functions_for_single_rows_and_batches_agree(
    batch_size: int, task: Any, agree: Any
) -> None:
    """With dropout and small batches, both compiled ways train as the NumPy engine does."""

    class Weighted(task):  # type: ignore[misc, valid-type]
        def network(self) -> Network:
            network = Network(self.blocks(), self.loss, self.input_shape, weighted=True)
            network.initialize(rng=np.random.default_rng(1))
            return network

        def data(self) -> tuple[Array, Array]:
            x, target = super().data()
            weights = np.random.default_rng(7).integers(0, 4, len(x))
            return x, join_weights(target, weights / weights.mean())

    one = Weighted(
        lambda: [dense(6, "tanh"), Dropout(0.2), dense(3, "softmax")], (4,),
        batch_size=batch_size, iterations=40, rate=0.1,
    )  # fmt: skip
    for kind in (CompiledEngine, TapeEngine):
        agree(one, kind=kind)
