"""How many updates a run has, and how often and on how many rows it is evaluated."""

from __future__ import annotations

from nnrun.config.schema.training import TrainingConfig
from nnrun.data.splits.parts import Sizes
from nnrun.engines.sampling import batches_per_epoch
from nnrun.training.examples import most_rows, rows_taken

EVALUATIONS = 20


def iterations_of(training: TrainingConfig, rows: int) -> int:
    """The updates of a run with so many training rows."""
    if training.iterations is not None:
        return training.iterations
    return (training.epochs or 0) * batches_per_epoch(rows, training.batch_size)


def every_of(training: TrainingConfig, sizes: Sizes) -> int:
    """Iterations from one evaluation to the next, the same for every seed."""
    planned = iterations_of(training, sizes.planned)
    return training.evaluate_every or max(1, -(-planned // EVALUATIONS))


def rows_of(training: TrainingConfig, sizes: Sizes) -> int | None:
    """The rows of a split that evaluations on the way take at most; None for all."""
    parts = [sizes.train, *sizes.held_out]
    usual = most_rows(every_of(training, sizes), training.batch_size, len(parts))
    return rows_taken(training.evaluate_rows, usual, parts, sizes.planned)
