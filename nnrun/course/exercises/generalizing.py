"""Lessons 6 and 8: errors on new rows."""

from __future__ import annotations

import numpy as np

from nnrun.course.attempt import Attempt, changed
from nnrun.course.exercises.structure import same_widths
from nnrun.course.grading import Criterion, Exercise, Verdict

_LESS_LOSS, _LESS_GAP = 0.75, 0.5  # of those of the start
_POINTS = 100  # of the curve that is graded
_FEWEST_POINTS = 20  # of the student's
_ABOVE = 0.05


def _better(attempt: Attempt) -> Verdict:
    """The loss on test rows is well below that of the start."""
    ours, before = (runs.mean("test", "loss") for runs in (attempt.runs, attempt.before))
    most = _LESS_LOSS * before
    return ours <= most, f"its mean test loss is {ours:.3f}, before {before:.3f}; {most:.3f} passes"


def _gap(attempt: Attempt) -> Verdict:
    """Test and training loss are closer to each other than at the start."""
    ours, before = (
        runs.mean("test", "loss") - runs.mean("train", "loss")
        for runs in (attempt.runs, attempt.before)
    )
    most = _LESS_GAP * before
    says = f"test loss minus training loss is {ours:.3f}, before {before:.3f}; {most:.3f} passes"
    return ours <= most, says


def _still_bends(attempt: Attempt) -> Verdict:
    """It is better than a linear model, so that not everything is smoothed away."""
    layers = [{"type": "dense", "units": 2, "activation": "softmax"}]
    linear = attempt.trained(changed(attempt.start, {"network": {"layers": layers}}))
    ours, theirs = (runs.mean("test", "loss") for runs in (attempt.runs, linear))
    return ours < theirs, f"its mean test loss is {ours:.3f}, that of a linear model {theirs:.3f}"


def _readable(attempt: Attempt) -> Verdict:
    """A curve of all iterations of the exercise has enough points."""
    whole, every = attempt.start.config.training.iterations or 0, attempt.prepared.evaluate_every
    points, asked = whole // every, f"{_FEWEST_POINTS} are asked for"
    return points >= _FEWEST_POINTS, f"the whole curve has {points} points; {asked}"


def _minimum(attempt: Attempt) -> Verdict:
    """It ends where the mean validation curve of the start is near its lowest point."""
    whole, ours = attempt.start.config.training.iterations or 0, attempt.prepared.iterations
    if ours > whole:
        return False, f"{ours:,} iterations are more than the {whole:,} of the exercise"
    often = {"training.evaluate_every": whole // _POINTS}
    results = attempt.trained(changed(attempt.start, often)).results
    at = np.array([row["iteration"] for row in results[0].history])
    curve = np.mean([[row["validation_loss"] for row in r.history] for r in results], axis=0)
    mine, least = float(np.interp(ours, at, curve)), float(curve.min())
    way = "still falls" if ours < at[curve.argmin()] else "rises again"
    says = f"after {ours:,} iterations the mean validation loss is {mine:.3f}"
    if mine <= (1 + _ABOVE) * least:
        return True, f"{says}, at its lowest {least:.3f}"
    return False, f"{says} and {way}: it is {mine / least - 1:.1%} above the lowest"


REGULARIZATION = Exercise(
    ("network", "training.optimizer.weight_decay", "training.early_stopping", "training.augment"),
    (
        Criterion("layers", same_widths, "Leave the dense layers as they are."),
        Criterion(
            "new rows",
            _better,
            "Try weight_decay, dropout, early_stopping, or augment with noise.",
        ),
        Criterion("gap", _gap, "Regularize more."),
        Criterion("not too much", _still_bends, "Regularize less, so that it can still bend."),
    ),
)
LEARNING_CURVE = Exercise(
    ("training.iterations", "training.evaluate_every"),
    (
        Criterion("readable", _readable, "Evaluate more often, by a smaller evaluate_every."),
        Criterion(
            "minimum",
            _minimum,
            "Train all iterations, find the lowest validation loss in the curve of nnrun show, and "
            "end there.",
        ),
    ),
)
