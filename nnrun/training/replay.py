"""Training part of a run again, to find the update at which it diverged."""

from __future__ import annotations

from math import isfinite

import numpy as np

from nnrun.engines.sampling import MOST_ITERATIONS
from nnrun.training.core import TrainingCore
from nnrun.training.divergence import Cause, Divergence, all_finite, culprit
from nnrun.training.state import copy_into


def find_divergence(core: TrainingCore, cause: Cause) -> Divergence:
    """Go back to the last good evaluation and look for the update that went wrong.

    An array with an infinite number or NaN keeps it, so bisection finds the first such update. A
    loss may leave its bounds several times; bisection finds one of these updates, always the same.

    Args:
        core: at the end of its run, and unchanged afterwards; but if its numbers are not finite,
            it is left at the last good evaluation, with the history up to the end.
        cause: why the run counts as diverged.
    """
    ended, last_good = core.snapshot(), core.last_good
    end = core.stopping.best_iteration if core.stopping and core.best else ended.iteration
    loss, largest = core.evaluate("train")[0], float(np.abs(core.network.theta).max())
    by_arrays = not all_finite(core.live)
    core.restore(last_good)
    good_loss, _ = core.evaluate("train")
    core.look(last=True)
    iteration = _bisect(core, end, cause, by_arrays)
    core.update(1)
    parameter, memory = culprit(core.network, core.optimizer, cause)
    core.restore(ended)
    if cause == "not_finite":
        copy_into(core.live, last_good.arrays)
    return Divergence(
        iteration=iteration,
        cause=cause,
        parameter=parameter,
        last_good_loss=good_loss if isfinite(good_loss) else None,
        last_good_iteration=last_good.iteration,
        began=core.bounds.began,
        loss=loss if isfinite(loss) else None,
        largest_weight=largest if isfinite(largest) else None,
        memory=memory,
    )


def _bisect(core: TrainingCore, end: int, cause: Cause, by_arrays: bool) -> int:
    """Find the update that went wrong, and leave the state just before it."""
    good = core.last_good
    while end - core.iteration > 1:
        middle = (core.iteration + end) // 2
        while core.iteration < middle:
            core.update(min(middle - core.iteration, MOST_ITERATIONS))
        if _diverged(core, cause, by_arrays):
            end = middle
            core.restore(good)
        else:
            good = core.snapshot()
            core.look(last=True)
    return end


def _diverged(core: TrainingCore, cause: Cause, by_arrays: bool) -> bool:
    if by_arrays:
        return not all_finite(core.live)
    found = core.check_divergence()
    # A loss leaves its bounds long before it overflows.
    return found == cause if cause == "not_finite" else found is not None
