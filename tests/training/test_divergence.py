"""Training that diverges or overflows."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from nnrun.engines.base import Sampler
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.models.task import Classification
from nnrun.nn import SGD, Adam, CrossEntropy, MeanSquared, Network, dense
from nnrun.nn.schedules import Constant
from nnrun.training.state import PreparedSplit, TrainingState
from nnrun.training.stopping import LOSS_FACTOR, Bounds, EarlyStopping
from nnrun.training.trainer import Trainer

# A run that ends far from where it began has diverged, however it was watched or interrupted.

# A learning rate at which the loss of a linear model grows, and stays within float64.
WILD = {"linear": True, "learning_rate": 1.0, "iterations": 60, "evaluate_every": 10}


def finish(trainer):
    for _ in trainer.run():
        pass
    return trainer


def network(loss=None, units=1, activation="linear"):
    made = Network([dense(units, activation)], loss or MeanSquared(), (3,))
    made.initialize(rng=np.random.default_rng(0))
    return made


def bounds(first=2.0, baseline=1.0, **settings):
    return Bounds.of(first, baseline, network(), np.ones((4, 1)), **settings)


def never():
    return False


def test_the_bound_is_taken_from_where_the_run_began():
    """From the loss of the initial weights or of the mean, whichever is larger."""
    theta = np.zeros(4)
    for made, began in ((bounds(2.0, 1.0), 2.0), (bounds(1e-9, 1.0), 1.0), (bounds(np.inf), 1.0)):
        assert began == made.began
        assert None is made.broken_by(LOSS_FACTOR * began, {"theta": theta}, never)
        assert "loss" == made.broken_by(1.001 * LOSS_FACTOR * began, {"theta": theta}, never)


@pytest.mark.parametrize("loss", [np.inf, np.nan])
def test_numbers_that_are_not_finite_are_divergence(loss):
    """Of the loss, or of any weight."""
    assert "not_finite" == bounds().broken_by(loss, {"theta": np.zeros(4)}, never)
    assert "not_finite" == bounds().broken_by(1.0, {"theta": np.array([0.0, loss])}, never)


def test_weights_alone_prove_nothing():
    """Weights beyond rounding are divergence only with a loss no better than the baseline's."""
    beyond = np.array([1e17])
    assert "weights" == bounds().broken_by(1.0, {"theta": beyond}, never)
    assert None is bounds().broken_by(0.99, {"theta": beyond}, never)
    assert None is bounds().broken_by(1.0, {"theta": np.array([1e15])}, never)


def test_large_targets_need_large_weights():
    """The size that weights may have grows with that of the targets."""
    large = Bounds.of(1.0, 1.0, network(), np.full((4, 1), 1e6))
    assert None is large.broken_by(1.0, {"theta": np.array([1e17])}, never)
    assert "weights" == large.broken_by(1.0, {"theta": np.array([1e23])}, never)


def test_a_classifier_that_has_learned_may_be_sure_of_its_errors():
    """Up to where what its loss was at the start is lost to rounding."""
    assert None is bounds().broken_by(1e9, {"theta": np.zeros(4)}, lambda: True)
    assert "loss" == bounds().broken_by(1e17, {"theta": np.zeros(4)}, lambda: True)


def test_to_have_learned_is_less_than_half_the_errors_of_the_majority_class():
    """Three classes of 5, 3 and 2 rows: the majority class makes five errors."""
    task = Classification(classes=3, outputs=3, probabilistic=True)
    y = np.array([0] * 5 + [1] * 3 + [2] * 2)
    for errors, learned in ((2, True), (3, False)):
        outputs = np.eye(3)[np.concatenate([(y[:errors] + 1) % 3, y[errors:]])]
        assert learned == task.has_learned(outputs, y)


def test_a_loss_that_blows_up_is_pinned_to_its_update(trainer):
    """Before the update the run is within its bounds, after it it is not."""
    run = finish(trainer(**WILD))
    assert "loss" == run.divergence.cause
    witness = trainer(**WILD)
    witness.update(run.divergence.iteration - 1)
    assert None is witness.check_divergence()
    witness.update(1)
    assert "loss" == witness.check_divergence()


def test_a_loss_beyond_numbers_is_pinned_to_where_it_left_them(trainer):
    """And not to where it had become large: of squares that overflow, the weights are finite."""
    settings = {**WILD, "learning_rate": 1e50, "iterations": 4}
    run = finish(trainer(**settings))
    assert "not_finite" == run.divergence.cause
    assert run.divergence.largest_weight is not None
    witness = trainer(**settings)
    witness.update(run.divergence.iteration - 1)
    assert "loss" == witness.check_divergence()
    witness.update(1)
    assert "not_finite" == witness.check_divergence()


def test_what_blew_up_is_left_as_it_ended(trainer):
    """All its evaluations are in the history, and the weights are those of the last update."""
    run = finish(trainer(**WILD))
    assert [10, 20, 30, 40, 50, 60] == [row["iteration"] for row in run.history]
    witness = trainer(**WILD)
    witness.update(60)
    assert witness.network.theta.tobytes() == run.network.theta.tobytes()
    assert run.divergence.loss == run.history[-1]["train_loss"] == run.evaluate("train")[0]


@pytest.mark.parametrize("left_at", [1, 9, 10, 15, 35, 59])
def test_interruptions_change_no_verdict(trainer, left_at):
    """A run interrupted before or after it diverged reports the same when it continues."""
    whole = finish(trainer(**WILD))
    first = trainer(**WILD)
    first._steps = 1
    for progress in first.run():
        first._steps = 1
        if progress.iteration >= left_at:
            break
    state = first.checkpoint()
    second = trainer(**WILD)
    second.resume(TrainingState(state.arrays, json.loads(json.dumps(state.values))))
    finish(second)
    assert whole.divergence == second.divergence
    assert whole.history == second.history


def test_a_loss_that_comes_back_is_no_divergence(trainer):
    """What counts is where training ends: on the way the loss may rise as far as it likes."""
    run = trainer(**WILD | {"iterations": 1000})
    for progress in run.run():
        if progress.iteration >= 20:
            run.schedule.value = 0.02
    assert max(row["train_loss"] for row in run.history) > 10 * LOSS_FACTOR * run.bounds.began
    assert run.history[-1]["train_loss"] < run.bounds.began
    assert None is run.divergence


def test_the_best_weights_are_what_training_ends_with(trainer):
    """A run that blows up after its best evaluation, and goes back to that, has not diverged."""
    stopping = EarlyStopping("validation_loss", False, patience=2, restore_best=True)
    run = trainer(**WILD | {"learning_rate": 0.02, "stopping": stopping})
    for progress in run.run():
        if progress.iteration >= 20:
            run.schedule.value = 3.0
    assert run.history[-1]["train_loss"] > LOSS_FACTOR * run.bounds.began
    assert None is run.divergence


def test_a_softmax_that_names_the_right_classes_has_not_diverged():
    """Steps that are far too long for the loss can still put the right class in front."""
    rng = np.random.default_rng(1)
    y = np.arange(90) % 3
    x = np.eye(3)[y] + 0.3 * rng.standard_normal((90, 3))
    made = network(CrossEntropy(), 3, "softmax")
    optimizer = SGD()
    optimizer.allocate(made.theta)
    target = np.eye(3)[y]
    run = Trainer(
        network=made,
        optimizer=optimizer,
        engine=NumpyEngine(made, optimizer, x, target, rng=rng),
        sampler=Sampler(90, 1, "shuffle", rng=rng),
        schedule=Constant(1e5),
        dropout=rng,
        splits={"train": PreparedSplit(x, target, y)},
        task=Classification(3, 3, probabilistic=True),
        iterations=900,
        evaluate_every=90,
        baseline=float(np.log(3)),
    )
    finish(run)
    assert run.history[-1]["train_loss"] > LOSS_FACTOR * run.bounds.began
    assert run.history[-1]["train_accuracy"] > 0.8
    assert None is run.divergence


# An optimizer whose own arrays overflow has diverged, though the weights are finite.

ENGINES = {
    "numpy": NumpyEngine,
    "generated": partial(CompiledEngine, batch_size=4),
    "tape": partial(TapeEngine, batch_size=4),
}
# The square of this number is in range, and that of the gradient is not.
OUTLIERS = {"float32": 3e10, "float64": 1e80}


@pytest.mark.parametrize("dtype", OUTLIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_squares_of_gradients_that_overflow_are_divergence(trainer, engine, dtype):
    """Adam would take no step any more; the update and the parameter are named."""
    settings = {
        "linear": True,
        "dtype": dtype,
        "outlier": OUTLIERS[dtype],
        "engine": ENGINES[engine],
        "iterations": 30,
        "evaluate_every": 10,
    }
    found = finish(trainer(optimizer=Adam(), **settings)).divergence
    assert ("not_finite", "0.weight", "square") == (found.cause, found.parameter, found.memory)
    witness = trainer(optimizer=Adam(), **settings)
    witness.update(found.iteration - 1)
    assert np.isfinite(witness.optimizer.state["square"]).all()
    witness.update(1)
    assert not np.isfinite(witness.optimizer.state["square"]).all()
    assert np.isfinite(witness.network.theta).all()


@pytest.mark.parametrize("dtype", OUTLIERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_whose_squares_are_in_range_are_no_divergence(trainer, engine, dtype):
    """A row a hundred times the size of the others, which Adam learns all the same."""
    settings = {"linear": True, "dtype": dtype, "outlier": 100.0, "engine": ENGINES[engine]}
    run = finish(trainer(optimizer=Adam(), **settings))
    assert None is run.divergence
    assert 60 == run.iteration


@pytest.mark.parametrize("engine", ENGINES)
def test_a_velocity_that_overflows_takes_the_weights_with_it(trainer, engine):
    """The weights step by the velocity itself, so the parameter is named and no array of SGD."""
    settings = {"linear": True, "outlier": 1e153, "engine": ENGINES[engine]}
    found = finish(trainer(optimizer=SGD(momentum=0.9), **settings)).divergence
    assert ("not_finite", "0.weight", None) == (found.cause, found.parameter, found.memory)
