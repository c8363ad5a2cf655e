"""The loop: what it records, how it stops, and that it can be left and gone on with anywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nnrun.nn import Adam
from nnrun.training.state import TrainingState
from nnrun.training.stopping import EarlyStopping


def finish(trainer):
    for _ in trainer.run():
        pass
    return trainer


def through_json(state):
    return TrainingState(state.arrays, json.loads(json.dumps(state.values)))


def test_history_has_a_row_for_every_evaluation(trainer):
    """Evaluations come every `evaluate_every` iterations and at the end, with every split."""
    history = finish(trainer(iterations=50)).history
    assert [20, 40, 50] == [row["iteration"] for row in history]
    assert [20 / 8, 40 / 8, 50 / 8] == [row["epoch"] for row in history]
    expected = ["iteration", "epoch", "learning_rate", "train_loss", "train_mse"]
    assert [*expected, "validation_loss", "validation_mse"] == list(history[0])
    assert history[-1]["train_loss"] < history[0]["train_loss"]


@pytest.mark.parametrize("optimizer", [None, Adam])
@pytest.mark.parametrize("left_after", [0, 1, 2, 3])
def test_a_run_that_was_left_ends_with_the_same_bits(trainer, optimizer, left_after):
    """Momentum, moments, dropout, running means and order all survive being saved."""
    new = lambda: trainer(optimizer=optimizer() if optimizer else None)  # noqa: E731
    whole = finish(new())
    first = new()
    first._steps = 7
    steps = first.run()
    for _ in range(left_after):
        next(steps)
    second = new()
    second.resume(through_json(first.checkpoint()))
    finish(second)
    assert whole.network.theta.tobytes() == second.network.theta.tobytes()
    assert whole.history == second.history
    for name, array in whole.network.buffers.items():
        assert array.tobytes() == second.network.buffers[name].tobytes()


def test_the_number_of_steps_per_call_changes_nothing(trainer):
    """How many updates are made between two looks is a matter of time, not of results."""
    whole, stepwise = trainer(), trainer()
    finish(whole)
    for _ in stepwise.run():
        stepwise._steps = 1
    assert whole.network.theta.tobytes() == stepwise.network.theta.tobytes()


def test_a_loss_is_reported_once_there_is_one(trainer):
    """Before the first evaluation none is: that of the initial weights would stand for too long."""
    seen = [(progress.iteration, progress.loss) for progress in trainer(iterations=40).run()]
    assert {None} == {loss for iteration, loss in seen if iteration < 20}
    assert all(loss is not None for iteration, loss in seen if iteration >= 20)


def test_early_stopping_returns_to_the_best_weights(trainer):
    """Training ends `patience` evaluations after the best one, with the weights it had there."""
    stopping = EarlyStopping("validation_loss", False, patience=3, restore_best=True)
    run = finish(
        trainer(iterations=4000, evaluate_every=10, stopping=stopping, noise=2.0, batch_size=30)
    )
    losses = [row["validation_loss"] for row in run.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    assert run.iteration < 4000
    assert run.history[best]["iteration"] == run.stopping.best_iteration
    assert losses[best] == run.evaluate_splits()["validation_loss"]


def test_early_stopping_without_restoring_keeps_the_last_weights(trainer):
    """With `restore_best` off the weights are those of the last update."""
    stopping = EarlyStopping("validation_loss", False, patience=2, restore_best=False)
    run = finish(trainer(iterations=4000, evaluate_every=10, stopping=stopping, noise=2.0))
    assert run.history[-1]["validation_loss"] == run.evaluate_splits()["validation_loss"]


def test_divergence_is_pinned_to_its_iteration(trainer):
    """The first update after which a parameter is not finite is found, and the layer it is in."""
    run = finish(trainer(learning_rate=1e200, iterations=100, evaluate_every=50))
    witness = trainer(learning_rate=1e200, iterations=100, evaluate_every=50)
    iteration = 0
    while np.isfinite(witness.network.theta).all():
        witness.update(1)
        iteration += 1
    assert iteration == run.divergence.iteration
    assert run.divergence.parameter in witness.network.parameters
    assert not np.isfinite(witness.network.parameters[run.divergence.parameter].value).all()
    assert [] == run.history
    assert np.isfinite(run.network.theta).all()


def test_divergence_keeps_the_time_it_took(trainer):
    """Though training goes back to the last good weights, its updates have been made."""
    run = finish(trainer(learning_rate=1e200, iterations=60, evaluate_every=60))
    assert run.divergence is not None
    assert run.train_seconds > 0
    assert run.evaluation_seconds > 0


def test_divergence_remembers_the_last_good_loss(trainer):
    """A run that goes wrong late says what its loss was at the last evaluation before."""
    run = trainer(learning_rate=0.05, iterations=100, evaluate_every=20)
    steps = run.run()
    while not run.history:
        next(steps)
    good = run.history[0]["train_loss"]
    run.schedule.value = 1e200
    for _ in steps:
        pass
    assert good == run.divergence.last_good_loss
    assert 20 == run.divergence.last_good_iteration
    assert 20 < run.divergence.iteration <= 40


def test_splits_are_evaluated_by_the_engine(trainer, monkeypatch):
    """The losses of the history are what the engine says, split by split."""
    run = trainer(iterations=20)
    asked = []

    def evaluate(x, target):
        asked.append(len(x))
        return float(len(x)), np.zeros((len(x), 1))

    monkeypatch.setattr(run.engine, "evaluate", evaluate)
    (row,) = finish(run).history
    assert [30, 20] == asked
    assert (30.0, 20.0) == (row["train_loss"], row["validation_loss"])
