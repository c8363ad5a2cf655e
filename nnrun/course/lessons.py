"""The exercises by their lessons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnrun.config.load import load_config
from nnrun.course.exercises.comparing import COMPARISON
from nnrun.course.exercises.deep import INITIALIZATION, NORMALIZATION
from nnrun.course.exercises.generalizing import LEARNING_CURVE, REGULARIZATION
from nnrun.course.exercises.linear import LINEAR_MODEL, SCHEDULE
from nnrun.course.exercises.networks import CONVOLUTION, HIDDEN_LAYER
from nnrun.course.files import exercise_file
from nnrun.course.grading import Exercise, Grade, grade

EXERCISES: dict[int, Exercise] = {
    1: LINEAR_MODEL,
    2: HIDDEN_LAYER,
    3: INITIALIZATION,
    4: SCHEDULE,
    5: CONVOLUTION,
    6: REGULARIZATION,
    7: NORMALIZATION,
    8: LEARNING_CURVE,
    9: COMPARISON,
}


def grade_file(lesson: int, file: Path, overrides: Sequence[str] = ()) -> Grade:
    """The grade of a config for the exercise of a lesson.

    Raises:
        ConfigError: the config is invalid.
    """
    experiment = load_config(file, overrides)
    return grade(lesson, EXERCISES[lesson], experiment, load_config(exercise_file(lesson)))
