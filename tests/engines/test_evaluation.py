"""Whole splits in compiled code; `agree` evaluates all that the tests of the tables train."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from nnrun.engines import numpy_engine
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import (
    LOSSES,
    SGD,
    Adam,
    CrossEntropy,
    Dropout,
    Flatten,
    MaxPool2d,
    MeanSquared,
    conv2d,
    dense,
)
from nnrun.nn.losses import FUSED
from tests.engines.conftest import check_evaluation, part


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
