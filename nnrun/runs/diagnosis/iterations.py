"""Iterations that are too few."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

import numpy as np

from nnrun.runs.diagnosis.inputs import ERRORS, FACTOR, DiagnosisInput, Diagnostic
from nnrun.runs.diagnosis.learning_rate import TINY, excess
from nnrun.runs.diagnosis.units import DEAD, most_dead

# The loss is still falling where it loses this share from one fifth of the run to the next, and
# held-out rows share so much of the fall.
_FALL, _SHARED = 0.02, 0.5
# A run is unfinished if the loss fell by more than this share of the baseline's, and is still above
# that one. With fewer evaluations a fifth of them has no scatter to compare a fall with.
_FALL_OF_BASELINE, _LEFT, _EVALUATIONS = 0.05, 0.5, 10


def unfinished(case: DiagnosisInput) -> Diagnostic | None:
    """Too few iterations of a run whose loss is between that of the baseline and half of it."""
    base = case.number(case.baseline, "train", "loss")
    if not base or not case.losses or not _LEFT * base < case.losses[-1] <= base:
        return None
    before, last = _fifths(case.losses)
    falls = len(case.losses) >= _EVALUATIONS and before - last > _FALL_OF_BASELINE * base
    if _unseen(case) is None and not falls:
        return None
    return too_few_iterations(case)


def too_few_iterations(case: DiagnosisInput) -> Diagnostic | None:
    """A loss that was still falling at the end, or rows that were never used.

    Not if the learning rate is far too large: then the loss only recovers from the first steps. Nor
    if all units of a layer are dead: then only biases change.
    """
    if excess(case) >= FACTOR:
        return None
    if (unseen := _unseen(case)) is not None:
        return unseen
    fall, dead = _fall(case), most_dead(case)
    if fall is None or (dead is not None and dead.share == 1):
        return None
    stopping = case.config.training.early_stopping
    if case.stopped_early and stopping is not None and stopping.monitor == "validation_loss":
        return None  # held-out rows have shown that more would not help
    more = "a larger training.early_stopping.patience" if case.stopped_early else "more iterations"
    has_dead = dead is not None and dead.share >= DEAD
    larger = "" if excess(case) > (1 / TINY if has_dead else 1) else ", or a larger learning rate"
    share = "fifth" if len(case.losses) >= _EVALUATIONS else "part"
    text = (
        f"the training loss was still falling, by {100 * fall:.2g}% over the last {share} of the "
        f"run; try {more}{larger}"
    )
    return Diagnostic("too_few_iterations", text, 1.0 + min(1.0, 10 * fall))


def _fall(case: DiagnosisInput) -> float | None:
    """By which share the training loss fell over the last fifth; None if that was little or chance.

    Nor does a fall count that held-out rows do not share.
    """
    losses, (before, last) = case.losses, _fifths(case.losses)
    if not losses or losses[-1] > min(losses) * (1 + _FALL):
        return None
    fall = 1 - last / before if before > 0 else 0.0
    if fall < _FALL or before - last <= _noise(losses) or not _is_shared(case):
        return None
    return fall


def _unseen(case: DiagnosisInput) -> Diagnostic | None:
    rows, seen = len(case.examples["train"]), case.iterations * case.config.training.batch_size
    if seen >= rows:
        return None
    text = f"training has seen {seen:,} of {rows:,} rows; try more iterations"
    return Diagnostic("too_few_iterations", text, 1.0 + log10(rows / seen))


def _is_shared(case: DiagnosisInput) -> bool:
    """Whether the loss of held-out rows, if there are any, falls with the training loss."""
    split = next((name for name in ("validation", "test") if name in case.outputs), "train")
    before, last = _fifths(case.losses)
    first, second = _fifths([float(row[f"{split}_loss"]) for row in case.history])
    return first - second >= _SHARED * (before - last)


def _noise(losses: Sequence[float]) -> float:
    """The difference of the last two fifths that chance explains, by the scatter within them."""
    fifth = max(1, len(losses) // 5)
    scatter = np.var(losses[-2 * fifth : -fifth]) + np.var(losses[-fifth:])
    return ERRORS * float(np.sqrt(scatter / fifth))


def _fifths(losses: Sequence[float]) -> tuple[float, float]:
    """The mean loss of the last two fifths of evaluations; zeros for fewer than two."""
    fifth = max(1, len(losses) // 5)
    if len(losses) < 2:
        return 0.0, 0.0
    return sum(losses[-2 * fifth : -fifth]) / fifth, sum(losses[-fifth:]) / fifth
