"""The NumPy engine, update after update, and whole splits in compiled code."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from nnrun.engines import numpy_engine
from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine, evaluate
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import (
    LOSSES,
    SGD,
    Adam,
    CrossEntropy,
    Dropout,
    MaxPool2d,
    MeanSquared,
    Network,
    conv2d,
    dense,
)
from nnrun.nn.layers import Flatten
from nnrun.nn.losses import FUSED
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array
from tests.engines.conftest import check_evaluation, part

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


# Whole splits in compiled code; `agree` evaluates all that the tests of the tables train.


def rows_of(task: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that the task's engine has not seen, with targets of its kind."""
    rng = np.random.default_rng(count)
    _, target = task.data()
    x = rng.standard_normal((count, *task.input_shape)).astype(task.dtype)
    return x, target[rng.integers(len(target), size=count)]


def everything(**changes: Any) -> dict[str, Any]:
    """A network with whatever differs between training and evaluation, on images."""
    return {
        "blocks": lambda: [
            conv2d(3, activation="tanh"), MaxPool2d(), Dropout(0.4), Flatten(),
            dense(9, "relu"), Dropout(0.2), dense(3, "softmax"),
        ],
        "input_shape": (2, 8, 8),
        "optimizer": Adam,
        "iterations": 50,
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
@pytest.mark.parametrize("name", LOSSES)
def test_targets_that_are_shares(name: str, kind: Any, task: Any) -> None:
    """Targets of 0, 1 and in between, where loss and last activation are not computed together."""
    last = "sigmoid" if name == "cross_entropy" else "softmax" if "binary" in name else "tanh"
    last = "softplus" if name == "poisson" else last
    one = task(lambda: [dense(3, last)], (5,), LOSSES[name](), iterations=50)
    engine = one.train(kind)
    x = np.random.default_rng(0).standard_normal((3, 5))
    target = np.array([[0.0, 1.0, 0.25], [1.0, 1.0, 0.0], [0.5, 0.0, 0.0]])
    expected, _ = numpy_engine.evaluate(engine.network, x, target)
    assert expected == pytest.approx(engine.evaluate(x, target)[0], rel=1e-14)


@pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_losses_whose_sum_is_beyond_numbers_are_no_warning(
    task: Any, batch_size: int, kind: Any
) -> None:
    """The loss over the rows is infinite then, as of a run that is about to diverge."""
    one = task(
        lambda: [dense(1)], (1,), MeanSquared(), iterations=1, rate=0.0, batch_size=batch_size
    )
    engine = one.train(kind)
    engine.network.theta[...] = [*[0] * (engine.network.size - 1), 1e154]  # the last bias
    x, target = np.ones((20, 1)), np.zeros((20, 1))
    assert np.isfinite(engine.evaluate(x[:1], target[:1])[0])
    assert np.inf == engine.evaluate(x, target)[0]


@pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
def test_logits_far_out_cost_no_digits(task: Any, kind: Any) -> None:
    """Losses of logits that are huge, tiny or huge and alike are right to the last digits."""
    for last, name in FUSED:
        one = task(lambda last=last: [dense(2, last)], (2,), LOSSES[name]())
        engine = one.engine(kind)
        engine.network.theta[...] = [1, 0, 0, 1, 0, 0]
        x = np.array([[1e5, -1e5], [1e5, 1e5 - 1], [1e-9, 0], [-1e-9, 1e-9], [30, -3], [40, 0]])
        target = np.array([[0, 1], [1, 0], [1, 0], [0, 1], [1, 0], [1, 0]], float)
        for row, want in zip(x, target, strict=True):
            expected, _ = numpy_engine.evaluate(engine.network, row[None], want[None])
            assert expected == pytest.approx(engine.evaluate(row[None], want[None])[0], rel=2e-15)


@pytest.mark.parametrize(
    ("kind", "batch_size"), [(CompiledEngine, 1), (CompiledEngine, 4), (TapeEngine, 7)]
)
def test_any_number_of_rows(kind: Any, batch_size: int, task: Any) -> None:
    """One row, remainders of every block, and more than are taken at a time."""
    engine = task(**everything(batch_size=batch_size)).train(kind)
    for count in (1, 2, 7, 63, 64, 65, 129, 3000):
        check_evaluation(engine, *rows_of(task(**everything()), count))


@pytest.mark.parametrize("batch_size", [1, 4])
def test_rows_know_nothing_of_each_other(batch_size: int, task: Any) -> None:
    """A row has the same bits alone, among others, and at another place."""
    engine = task(**everything(batch_size=batch_size)).train(CompiledEngine)
    x, target = rows_of(task(**everything()), 90)
    _, outputs = engine.evaluate(x, target)
    for row in (0, 5, 64, 89):
        _, alone = engine.evaluate(x[row : row + 1], target[row : row + 1])
        np.testing.assert_array_equal(outputs[row], alone[0])
    _, turned = engine.evaluate(x[::-1], target[::-1])
    np.testing.assert_array_equal(outputs, turned[::-1])


@pytest.mark.parametrize("batch_size", [1, 4])
def test_training_does_not_notice(batch_size: int, task: Any) -> None:
    """Evaluations between updates change no bit of weights, moments or the stream."""
    one = task(**everything(batch_size=batch_size))
    batches = one.batches()
    whole, watched = one.train(CompiledEngine), one.engine(CompiledEngine)
    for k in range(len(batches)):
        watched.run(part(batches, k, k + 1))
        watched.evaluate(*one.data())
    np.testing.assert_array_equal(whole.network.theta, watched.network.theta)
    for name, array in whole.optimizer.state.items():
        other = watched.optimizer.state[name]
        np.testing.assert_array_equal(array, other)
    assert whole.rng.bit_generator.state == watched.rng.bit_generator.state
    assert whole.optimizer.steps == watched.optimizer.steps


def test_weights_are_those_of_the_moment(task: Any) -> None:
    """A change of the network's weights shows at the next evaluation."""
    engine = task(lambda: [dense(1)], (2,), MeanSquared(), iterations=1).train(CompiledEngine)
    for theta, expected in (([2.0, 3.0, 1.0], (1.0, 6.0)), ([2.0, 3.0, 0.0], (0.0, 5.0))):
        engine.network.theta[...] = theta
        loss, outputs = engine.evaluate(np.array([[1.0, 1.0]]), np.array([[5.0]]))
        assert expected == (loss, outputs[0, 0])


@pytest.mark.parametrize("count", [7, 3000])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_an_evaluator_is_asked_again_and_again(batch_size: int, count: int, task: Any) -> None:
    """It says what `evaluate` says of the weights of the moment, and overwrites no answer."""
    engine = task(**everything(batch_size=batch_size)).train(CompiledEngine)
    x, target = rows_of(task(**everything()), count)
    ask, before, answers = engine.evaluator(x, target), engine.evaluate(x, target), []
    for _ in range(2):
        answers.append((ask(), engine.evaluate(x, target)))
        engine.network.theta *= 0.5
    for (loss, outputs), (expected, expected_outputs) in answers:
        assert expected == loss
        np.testing.assert_array_equal(expected_outputs, outputs)
    assert before[0] == answers[0][0][0] != answers[1][0][0]


def test_no_number_is_hidden(task: Any) -> None:
    """Weights that are not finite give a loss that is not."""
    for batch_size in (1, 4):
        one = task(**everything(batch_size=batch_size))
        engine = one.train(CompiledEngine)
        engine.network.theta[-1] = np.nan
        assert np.isnan(engine.evaluate(*one.data())[0])


def test_memory_does_not_grow_with_rows(task: Any) -> None:
    """Beside the outputs, a hundred thousand rows take what a thousand take."""
    one = task(lambda: [dense(8, "tanh"), dense(1)], (5,), MeanSquared(), batch_size=4)
    engine = one.train(CompiledEngine)
    peaks = []
    for count in (1_000, 100_000):
        x, target = np.zeros((count, 5)), np.zeros((count, 1))
        engine.evaluate(x[:10], target[:10])
        tracemalloc.start()
        engine.evaluate(x, target)
        peaks.append(tracemalloc.get_traced_memory()[1] - 8 * count)
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000


@pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
def test_rows_of_another_shape_are_refused(task: Any, kind: Any) -> None:
    """Machine code is never handed rows or targets that are shorter than it reads."""
    engine = task(lambda: [dense(3)], (5,), CrossEntropy(), SGD).engine(kind)
    for x, target in (((2, 4), (2, 3)), ((2, 5), (2, 2)), ((2, 5), (1, 3))):
        with pytest.raises(ValueError, match="shape"):
            engine.evaluate(np.zeros(x), np.zeros(target))
