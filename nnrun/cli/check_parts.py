"""`nnrun check FILE.py` and `--lesson N`: plugin files, and exercises of the course."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from nnrun.cli.output import Output
from nnrun.course.files import OWN_LAYER
from nnrun.errors import DisagreementError, ExerciseError, UsageError
from nnrun.reports.terminal.checking import checked_parts, graded
from nnrun.runs.storage.sealed import strict_json

_SUFFIX = ".py"


def are_parts(paths: list[Path]) -> bool:
    """Whether these are Python files.

    Raises:
        click.UsageError: some are Python files and others configs.
    """
    python = [path for path in paths if path.suffix == _SUFFIX]
    if python and len(python) < len(paths):
        message = f"{python[0]} is a plugin file and {paths[-1]} a config; check them apart"
        raise click.UsageError(message)
    return bool(python)


def check_parts(output: Output, files: list[Path], *, points: bool) -> None:
    """Check the parts of files, and print what is right and what is wrong.

    Raises:
        PluginError: a file cannot be loaded.
        DisagreementError: a part is wrong.
    """
    from nnrun.plugins.checker.check import check_file  # noqa: PLC0415  # for such files only

    reports = [report for file in files for report in check_file(file)]
    parts = [report.to_dict() for report in reports]
    data = {
        "points": sum(part["points"] for part in parts),
        "of": sum(part["of"] for part in parts),
        "parts": parts,
    }
    _present(output, data, checked_parts(reports), points)
    wrong = [report for report in reports if report.wrong]
    if wrong:
        first = wrong[0].wrong[0]
        says = f"{wrong[0].part.place}: {wrong[0].part.name}: {first.check}: {first.says}"
        more = sum(len(report.wrong) for report in wrong) - 1
        raise DisagreementError(says + (f" (and {more} more)" if more else ""))


def check_lesson(
    output: Output, lesson: int, paths: list[Path], overrides: Sequence[str], *, points: bool
) -> None:
    """Grade the one config of an exercise, and print what is met and what is not.

    Raises:
        ConfigError: the config is invalid.
        ExerciseError: something is not met yet.
    """
    if lesson == OWN_LAYER and all(path.suffix == _SUFFIX for path in paths):
        check_parts(output, paths, points=points)
        return
    wanted = f"mylayer{_SUFFIX}" if lesson == OWN_LAYER else f"exercise-{lesson}.yaml"
    if len(paths) != 1 or lesson == OWN_LAYER or paths[0].suffix == _SUFFIX:
        raise UsageError(f"--lesson {lesson} grades one file, such as {wanted}")
    from nnrun.course.exercises import grade_file  # noqa: PLC0415  # training is slow to import

    grade = grade_file(lesson, paths[0], overrides)
    _present(output, grade.to_dict(), graded(grade), points)
    if grade.wrong:
        missing = ", ".join(finding.check for finding in grade.wrong)
        raise ExerciseError(f"{grade.file}: not met yet: {missing}")


def _present(output: Output, data: dict[str, Any], shown: RenderableType, points: bool) -> None:
    output.data(data)
    if points and not output.json:
        click.echo(strict_json(data), nl=False)
    elif not points:
        output.show(shown)
