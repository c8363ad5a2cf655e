"""Lessons 1 and 4: linear models, whose smallest error is known."""

from __future__ import annotations

import numpy as np

from nnrun.course.attempt import Attempt, UnmetError, changed, seeded
from nnrun.course.exercises.structure import ends
from nnrun.course.grading import Check, Criterion, Exercise, Verdict


def _least_squares(attempt: Attempt, seed: int) -> float:
    """The smallest mean squared error that a linear model has on the training rows."""
    rows = seeded(attempt.start, seed).examples["train"]
    x = np.column_stack([rows.x, np.ones(len(rows))])
    w = np.linalg.lstsq(x, rows.target, rcond=None)[0]
    return float(np.mean((x @ w - rows.target) ** 2))


def _near(most: float) -> Check:
    """The training error is near the smallest."""

    def check(attempt: Attempt) -> Verdict:
        best = np.array([_least_squares(attempt, seed) for seed in attempt.seeds])
        above = float(np.mean(attempt.runs.values("train", "mse") / best)) - 1
        says = f"its training error is {above:.1%} above the smallest there is; {most:.0%} passes"
        return above <= most, says

    return check


def _settles(attempt: Attempt) -> Verdict:
    """Training ends lower than with the largest rate all the time."""
    schedule, total = attempt.prepared.schedule, attempt.prepared.iterations
    asked = 1 if schedule.follows_loss else total  # others know their rates before training
    peak = float(schedule.rates(np.arange(asked), total).max())
    ours = attempt.runs.values("train", "mse")
    try:
        constant = attempt.trained(changed(attempt.experiment, {"training.learning_rate": peak}))
        lower = int((ours < constant.values("train", "mse")).sum())
    except UnmetError:
        return True, f"it ends well, and a constant rate of {peak:g} diverges"
    seeds = len(attempt.seeds)
    says = f"it ends lower than with a constant rate of {peak:g} for {lower} of {seeds} seeds"
    return lower == seeds, says


LINEAR_MODEL = Exercise(
    ("dataset.features", "training.learning_rate"),
    (
        Criterion("stable", ends, "The larger the features, the smaller the largest rate."),
        Criterion(
            "least squares",
            _near(0.05),
            "Bring all features to one scale, so that one rate suits every weight.",
        ),
    ),
)
SCHEDULE = Exercise(
    ("training.learning_rate",),
    (
        Criterion("stable", ends, "Begin with a smaller rate."),
        Criterion("settles", _settles, "A constant rate jumps about the minimum; let it fall."),
        Criterion(
            "close",
            _near(0.01),
            "Begin with a rate not far below the largest that works, and end near zero.",
        ),
    ),
)
