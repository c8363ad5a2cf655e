"""A learning rate that falls when the loss shows no more progress."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest

from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn.schedules import ReduceOnPlateau


def falling() -> ReduceOnPlateau:
    return ReduceOnPlateau(0.05, factor=0.5, patience=1)


@pytest.fixture(params=[NumpyEngine, partial(TapeEngine, batch_size=4)], ids=["numpy", "tape"])
def trained(trainer, request):
    """Makes a trainer of 300 iterations whose rate follows the validation loss."""

    def make():
        found = trainer(engine=request.param, iterations=300, evaluate_every=10)
        found.schedule = falling()
        found.last_good = found.snapshot()
        return found

    return make


def test_the_rate_follows_the_validation_loss(trained):
    """It falls after each evaluation that is no better than the best so far, and only there."""
    run = trained()
    list(run.run())

    best, expected, rate = float("inf"), [], 0.05
    for row in run.history:
        expected.append(rate)
        if row["validation_loss"] >= best:
            rate *= 0.5
        best = min(best, row["validation_loss"])

    rates = [row["learning_rate"] for row in run.history]
    assert expected == rates
    assert any(after < before for before, after in pairwise(rates))


def test_a_run_that_is_continued_has_the_same_bits(trained):
    """From each checkpoint of its way."""
    whole = trained()
    states = [whole.checkpoint() for _ in whole.run()]

    for state in states[:: len(states) // 6]:
        rest = trained()
        rest.resume(state)
        list(rest.run())
        assert whole.network.theta.tobytes() == rest.network.theta.tobytes()
        assert whole.history == rest.history


def test_without_validation_it_follows_the_training_loss(trained):
    """As there is no other."""
    run = trained()
    del run.splits["validation"]
    list(run.run())

    twin = falling()
    expected = []
    for row in run.history:
        expected.append(twin.rate_at(0, 300))
        twin.observe(row["train_loss"])
    assert expected == [row["learning_rate"] for row in run.history]
