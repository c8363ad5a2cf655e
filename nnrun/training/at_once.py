"""A short run in a single call of the engine: all its updates, with the evaluations in between."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from nnrun.training.core import TrainingCore


def run_at_once(core: TrainingCore) -> bool:
    """Run all remaining updates in one call if nothing depends on evaluations; the same bits.

    Returns:
        False if updates remain: the run is long or large, stops early, is watched, or follows the
        losses of evaluations or batches. Or it has diverged: then it is back at its last good
        evaluation, for the loop to find where.
    """
    first = core.iteration
    followed = core.stopping is not None or core.schedule.follows_loss
    apart = followed or core.curve is not None or core.parts or core.watch is not None
    if apart or first == core.iterations:
        return False
    every = core.evaluate_every
    iterations = list(range((first // every + 1) * every, core.iterations, every))
    iterations.append(core.iterations)
    found = core.engine.run_and_evaluate(
        core.steps(core.iterations - first),
        [iteration - first for iteration in iterations],
        [core.evaluator(name) for name in core.splits],
    )
    if found is None:
        return False
    begun = perf_counter()
    losses = dict(zip(core.splits, found.losses, strict=True))
    outputs = dict(zip(core.splits, found.outputs, strict=True))
    core.adopt(iterations, losses, outputs)
    # Arrays that are not finite stay so, and the last check finds them; a loss may come back.
    if not np.isfinite(losses["train"]).all() or core.check_divergence() is not None:
        core.restore(core.last_good)
        return False
    core.train_seconds += found.update_seconds
    core.evaluation_seconds += found.evaluation_seconds + perf_counter() - begun
    core.last_good = core.snapshot()
    return True
