"""Going back over a run that has gone astray, to find where it did."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from nnrun.training.divergence import Cause, Divergence, unsound_parameter
from nnrun.training.sampling import MOST_ITERATIONS
from nnrun.training.state import copy_into, live_arrays

if TYPE_CHECKING:
    from nnrun.training.trainer import Trainer


def find_divergence(trainer: Trainer, cause: Cause) -> Divergence:
    """Go back to the last good evaluation and look for an update that went wrong.

    A parameter that has become infinite or NaN stays so, so halving finds the first. A loss may
    come and go; of the updates at which it went, halving finds one, and always the same.

    Args:
        trainer: at the end of its run, and afterwards as it was; but where its numbers are not
            finite, at the last good evaluation, with the history up to the end.
        cause: what is wrong with its weights.
    """
    ended, last_good = trainer.here(), trainer.good
    end = trainer.stopping.best_iteration if trainer.stopping and trainer.best else ended.iteration
    loss, largest = trainer.evaluate("train")[0], float(np.abs(trainer.network.theta).max())
    trainer.go_back(last_good)
    good_loss, _ = trainer.evaluate("train")
    by_weights = not isfinite(largest)
    iteration = _halve(trainer, end, cause, by_weights)
    trainer.update(1)
    culprit = unsound_parameter(trainer.network, "not_finite" if by_weights else cause)
    trainer.go_back(ended)
    if cause == "not_finite":
        copy_into(live_arrays(trainer.network, trainer.optimizer), last_good.arrays)
    return Divergence(
        iteration=iteration,
        cause=cause,
        parameter=culprit,
        last_good_loss=good_loss if isfinite(good_loss) else None,
        last_good_iteration=last_good.iteration,
        began=trainer.bounds.began,
        loss=loss if isfinite(loss) else None,
        largest_weight=largest if isfinite(largest) else None,
    )


def _halve(trainer: Trainer, end: int, cause: Cause, by_weights: bool) -> int:
    """Bring the trainer to the update before the one that went wrong, and return that one."""
    good = trainer.good
    while end - trainer.iteration > 1:
        middle = (trainer.iteration + end) // 2
        while trainer.iteration < middle:
            trainer.update(min(middle - trainer.iteration, MOST_ITERATIONS))
        if _astray(trainer, cause, by_weights):
            end = middle
            trainer.go_back(good)
        else:
            good = trainer.here()
    return end


def _astray(trainer: Trainer, cause: Cause, by_weights: bool) -> bool:
    if by_weights:
        return not np.isfinite(trainer.network.theta).all()
    found = trainer.trouble()
    # A loss is out of bounds long before it is out of range.
    return found == cause if cause == "not_finite" else found is not None
