"""A short run in one go: all its updates, with all its evaluations on the way."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nnrun.training.trainer import Trainer


def run_at_once(trainer: Trainer) -> bool:
    """Make the updates that are left, if nothing is to be decided on the way, to the same bits.

    Returns:
        False where they are still to be made: they would take long, or what comes next depends on
        evaluations. Or the run leaves its bounds, and where is to be found out: then the trainer
        is at its last good evaluation.
    """
    first = trainer.iteration
    if trainer.stopping is not None or trainer.curve is not None or first == trainer.iterations:
        return False
    every = trainer.evaluate_every
    iterations = list(range((first // every + 1) * every, trainer.iterations, every))
    iterations.append(trainer.iterations)
    found = trainer.engine.run_and_evaluate(
        trainer.steps(trainer.iterations - first),
        [iteration - first for iteration in iterations],
        [trainer.evaluator(name) for name in trainer.parts],
    )
    if found is None:
        return False
    begun = perf_counter()
    losses = dict(zip(trainer.parts, found.losses, strict=True))
    outputs = dict(zip(trainer.parts, found.outputs, strict=True))
    trainer.arrive(iterations, losses, outputs)
    # A weight that is not finite stays so; a loss may come back.
    if not np.isfinite(losses["train"]).all() or trainer.trouble() is not None:
        trainer.go_back(trainer.good)
        return False
    trainer.train_seconds += found.update_seconds
    trainer.evaluation_seconds += found.evaluation_seconds + perf_counter() - begun
    trainer.good = trainer.here()
    return True
