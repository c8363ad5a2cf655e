"""The losses of batches, epoch by epoch."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.training.stopping import LossCurve

LOSSES = np.array([0.3, 0.1, 0.2, 0.7, 0.5, 0.9, 0.11])
SIZES = np.array([4, 4, 1, 4, 4, 1, 4])


def test_an_epoch_is_the_mean_over_its_rows():
    """Batches count by their rows, and an epoch that is not over by those it has had."""
    curve = LossCurve(3)
    assert [] == curve.values
    curve.add(LOSSES, SIZES)
    expected = [(1.2 + 0.4 + 0.2) / 9, (2.8 + 2.0 + 0.9) / 9, 0.11]
    assert expected == pytest.approx(curve.values, rel=1e-15)


@pytest.mark.parametrize("step", [1, 2, 7, 60, 61])
def test_parts_make_no_difference(step):
    """However many batches come at a time, which is a matter of the clock: the same bits."""
    whole, parts = LossCurve(60), LossCurve(60)
    losses, sizes = np.random.default_rng(0).random(250), np.full(250, 3)
    whole.add(losses, sizes)
    for first in range(0, len(losses), step):
        parts.add(losses[first : first + step], sizes[first : first + step])
    assert 5 == len(whole.values)
    assert whole.values == parts.values


def test_a_trainer_follows_its_batches(trainer):
    """One loss for each epoch of 8 batches, and the training is the one without."""
    plain, followed = trainer(iterations=20), trainer(iterations=20)
    followed.curve = LossCurve(followed.sampler.batches_per_epoch)
    for run in (plain, followed):
        for _ in run.run():
            pass
    assert 3 == len(followed.curve.values)
    assert plain.network.theta.tobytes() == followed.network.theta.tobytes()
    assert plain.history == followed.history


def test_the_loss_of_a_batch_is_that_before_its_update(trainer):
    """In training mode, of the very masks that the update had."""
    run, twin = trainer(), trainer()
    assert isinstance(run.engine, NumpyEngine)
    run.curve = LossCurve(1)
    rows, _ = twin.sampler.take(1)
    part = twin.splits["train"]
    expected = twin.network.training_loss(part.x[rows], part.target[rows], twin.dropout)
    run.update(1)
    assert [expected] == run.curve.values
