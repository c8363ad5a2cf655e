"""`nnrun check CONFIG --lesson N`: the exercise of a lesson."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from nnrun.cli.check_parts import SUFFIX, check_parts
from nnrun.cli.output import Output
from nnrun.course.files import OWN_LAYER
from nnrun.errors import ExerciseError, UsageError
from nnrun.runs.storage.contents.strict_json import strict_json


def check_lesson(
    output: Output, lesson: int, paths: list[Path], overrides: Sequence[str], *, points: bool
) -> None:
    """Grade the one config of an exercise, and print what is met and what is not.

    Raises:
        ConfigError: the config is invalid.
        ExerciseError: something is not met yet.
    """
    if lesson == OWN_LAYER and all(path.suffix == SUFFIX for path in paths):
        check_parts(output, paths, points=points)
        return
    wanted = f"mylayer{SUFFIX}" if lesson == OWN_LAYER else f"exercise-{lesson}.yaml"
    if len(paths) != 1 or lesson == OWN_LAYER or paths[0].suffix == SUFFIX:
        raise UsageError(f"--lesson {lesson} grades one file, such as {wanted}")
    # Training and sweeps are slow to import.
    from nnrun.course.lessons import grade_file  # noqa: PLC0415
    from nnrun.reports.terminal.checking.parts import graded  # noqa: PLC0415

    grade = grade_file(lesson, paths[0], overrides)
    output.data(grade.to_dict())
    if points and not output.json:
        click.echo(strict_json(grade.to_dict()), nl=False)
    elif not points:
        output.show(graded(grade))
    if grade.wrong:
        missing = ", ".join(finding.check for finding in grade.wrong)
        raise ExerciseError(f"{grade.file}: not met yet: {missing}")
