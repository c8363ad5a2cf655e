"""The NumPy engine: one update for each batch, in order, however they are handed over."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.engines import numpy_engine
from nnrun.engines.base import Batches
from nnrun.engines.numpy_engine import NumpyEngine, evaluate
from nnrun.nn import (
    SGD,
    Adam,
    CrossEntropy,
    Dropout,
    MeanSquared,
    Network,
    conv2d,
    dense,
)
from nnrun.nn.layers import Flatten
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array
from tests.engines.conftest import part

X = np.random.default_rng(0).standard_normal((20, 3))
TARGET = np.eye(2)[np.random.default_rng(1).integers(2, size=20)]
SIZES = [1, 4, 1, 3, 7, 1, 4, 2]


def build(dtype: type = np.float64) -> Network:
    """A network with dropout, so that the stream matters."""
    blocks = [dense(4, "tanh"), Dropout(0.3), dense(2, "softmax")]
    network = Network(blocks, CrossEntropy(), (3,), dtype)
    network.initialize(rng=np.random.default_rng(2))
    return network


def engine(
    network: Network, optimizer: Optimizer | None = None, clip_norm: float | None = None
) -> NumpyEngine:
    """An engine on the rows above, with a dropout stream of its own."""
    optimizer = optimizer or SGD()
    optimizer.allocate(network.theta)
    x, target = X.astype(network.dtype), TARGET.astype(network.dtype)
    rng = np.random.default_rng(3)
    return NumpyEngine(network, optimizer, x, target, rng=rng, clip_norm=clip_norm)


def batches_of(sizes: list[int], rates: list[float] | None = None, seed: int = 4) -> Batches:
    """Batches of these sizes, of rows drawn with replacement."""
    rows = np.random.default_rng(seed).integers(len(X), size=sum(sizes))
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    return Batches(rows, bounds, np.array(rates or [0.1] * len(sizes)))


def by_hand(network: Network, batches: Batches, rng: np.random.Generator) -> Array:
    """θ after plain SGD on the batches, written out."""
    theta = network.theta.copy()
    for k, rate in enumerate(batches.rates):
        rows = batches.rows[batches.bounds[k] : batches.bounds[k + 1]]
        network.theta[...] = theta
        network.backpropagate(X[rows], TARGET[rows], rng)
        theta = theta - rate * network.gradient
    return theta


def test_one_update_for_each_batch_at_its_own_rate():
    """Batches of any sizes, each at its own learning rate: θ ← θ - η g, one after the other."""
    rates = [0.1, 0.2, 0.05, 1.0, 0.0, 0.3, 0.1, 0.4]
    batches = batches_of(SIZES, rates)
    network = build()
    engine(network).run(batches)
    expected = by_hand(build(), batches, np.random.default_rng(3))
    np.testing.assert_allclose(network.theta, expected, rtol=0, atol=1e-15)


def test_a_rate_of_zero_changes_nothing():
    """Updates at rate zero leave the very bits of θ; the one that has a rate moves it."""
    network = build()
    start, runner = network.theta.copy(), engine(network)
    runner.run(batches_of([2, 3], [0.0, 0.0]))
    np.testing.assert_array_equal(start, network.theta)
    runner.run(batches_of([2, 3], [0.0, 0.1]))
    assert np.any(start != network.theta)


@pytest.mark.parametrize("optimizer", [SGD, Adam])
@pytest.mark.parametrize("cut", [1, 3, 7])
def test_the_result_does_not_depend_on_how_iterations_are_cut(cut: int, optimizer: type[Optimizer]):
    """One call of eight iterations, or two calls: the same bits."""
    options = {"momentum": 0.9} if optimizer is SGD else {}
    rates = np.linspace(0.1, 0.01, len(SIZES))
    whole, cut_up = build(), build()
    batches = batches_of(SIZES, rates.tolist())
    engine(whole, optimizer(**options)).run(batches)
    runner = engine(cut_up, optimizer(**options))
    runner.run(part(batches, 0, cut))
    runner.run(part(batches, cut, len(SIZES)))
    np.testing.assert_array_equal(whole.theta, cut_up.theta)


def test_batches_may_start_anywhere_in_its_rows():
    """Bounds that do not start at zero pick their rows from the middle."""
    batches = batches_of([2, 3, 4])
    later, alone = build(), build()
    engine(later).run(Batches(batches.rows, batches.bounds[1:], batches.rates[1:]))
    engine(alone).run(Batches(batches.rows[2:], batches.bounds[1:] - 2, batches.rates[1:]))
    np.testing.assert_array_equal(alone.theta, later.theta)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_single_rows_take_the_same_path_as_gathered_ones(dtype: type, monkeypatch):
    """Batches of one row, which are views, give the bits that copied rows give."""
    views, copies = build(dtype), build(dtype)
    batches = batches_of([1] * 12)
    engine(views).run(batches)
    runner = engine(copies)
    x, target = runner.x, runner.target
    monkeypatch.setattr(
        runner, "_gather", lambda rows, start, end: (x[rows[start:end]], target[rows[start:end]])
    )
    runner.run(batches)
    assert dtype == views.theta.dtype
    np.testing.assert_array_equal(copies.theta, views.theta)


def test_the_same_row_twice_is_the_row_once():
    """A batch that holds a row twice has the gradient of that row."""

    def run(rows: list[int]) -> Array:
        network = Network([dense(2, "tanh"), dense(2)], MeanSquared(), (3,))
        network.initialize(rng=np.random.default_rng(2))
        bounds = np.array([0, len(rows)])
        engine(network).run(Batches(np.array(rows), bounds, np.array([0.5])))
        return network.theta

    np.testing.assert_allclose(run([5]), run([5, 5]), rtol=1e-14)


def test_training_rows_are_not_written_to():
    """The engine reads the rows and never changes them."""
    network = build()
    runner = engine(network)
    before = runner.x.copy(), runner.target.copy()
    runner.run(batches_of(SIZES))
    np.testing.assert_array_equal(before[0], runner.x)
    np.testing.assert_array_equal(before[1], runner.target)


def test_divergence_does_not_warn():
    """Numbers that grow out of range become infinite or NaN in silence; the loss shows them."""
    network = Network([dense(2)], MeanSquared(), (3,))
    network.initialize(rng=np.random.default_rng(2))
    engine(network).run(batches_of([4] * 400, [1e3] * 400))
    assert not np.isfinite(network.theta).all()


# Losses over whole splits.


def test_chunks_make_no_difference_but_rounding(monkeypatch):
    """The loss over 100 rows is the mean over rows, in chunks of 7 as in one piece."""
    rng = np.random.default_rng(0)
    blocks = [conv2d(2, 3, activation="tanh"), Flatten(), dense(3, "softmax")]
    network = Network(blocks, CrossEntropy(), (1, 5, 5))
    network.initialize(rng=rng)
    target = np.eye(3)[rng.integers(3, size=100)]
    x = rng.standard_normal((100, 1, 5, 5))
    loss, outputs = evaluate(network, x, target)
    expected = -np.mean(np.log(np.sum(network.predict(x) * target, axis=1)))
    assert loss == pytest.approx(expected, rel=1e-13)
    monkeypatch.setattr(numpy_engine, "chunk_rows", lambda network: 7)
    chunked_loss, chunked = evaluate(network, x, target)
    assert loss == pytest.approx(chunked_loss, rel=1e-13)
    np.testing.assert_allclose(outputs, chunked, rtol=1e-12)


def test_chunks_are_small_for_wide_networks():
    """A network that holds a million numbers for a row is evaluated row by row."""
    network = Network([dense(1_000_000)], CrossEntropy(), (4,))
    assert 1 == numpy_engine.chunk_rows(network)
