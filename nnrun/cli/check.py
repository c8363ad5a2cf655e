"""`nnrun check`: everything about configs that shows without training them; plugins, lessons."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from nnrun.api.checks import describe
from nnrun.cli import options
from nnrun.cli.group import problems_data
from nnrun.cli.options import split_arguments
from nnrun.cli.output import Output
from nnrun.config.files import config_files
from nnrun.config.load import Experiment, load_config
from nnrun.course.files import NUMBERS, OWN_EXERCISE, OWN_GRADIENT, OWN_LAYER, hand_in_name
from nnrun.engines.selection import EngineError, source_code
from nnrun.errors import (
    ConfigError,
    DisagreementError,
    ExerciseError,
    NnrunError,
    Problem,
    UsageError,
)
from nnrun.reports.checks import CheckedRun, gradient_failures
from nnrun.reports.network_picture import network_picture
from nnrun.reports.numbers import plural
from nnrun.reports.terminal.checking import check_details, check_overview, checked_parts, graded
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.durable import write_atomically
from nnrun.runs.storage.sealed import strict_json


@click.command("check")
@options.paths_argument("PATH... [KEY=VALUE]...")
@options.flag(
    "--gradients",
    "Compare every parameter's gradient with a numerical one; exit with 3 if any is wrong.",
)
@options.flag(
    "--learning-rate", "Train for about an epoch while the learning rate rises, and suggest a rate."
)
@options.flag(
    "--emit", "Print the source that the compiled engine makes for the network of one config."
)
@options.path(
    "--picture", "Draw the network of one config: layers, shapes, parameters.", "FILE.svg"
)
@options.flag(
    "--points",
    "Of a Python file or a lesson: print JSON with a point for each check, for a grader.",
)
@options.number(
    "--lesson",
    "Grade the exercise of a lesson of the course; exit with 1 while something is missing.",
    min(NUMBERS),
    max(NUMBERS),
)
@options.path("--exercise", "Grade an exercise of your own: `nnrun help teachers`.")
@options.iterations_option
@options.plugin_option
@options.wide_option
@options.output_options
def command(
    output: Output,
    arguments: tuple[str, ...],
    gradients: bool,
    learning_rate: bool,
    emit: bool,
    picture: Path | None,
    points: bool,
    lesson: int | None,
    exercise: Path | None,
    iterations: int | None,
) -> None:
    """Validate configs without training them.

    Paths are config files, or folders of them. All mistakes of all files are shown together; for a
    valid config, its layers with their shapes and parameters, its data, and the memory it takes.

    A Python file registers parts of one's own, such as layers: their shapes, numbers and gradients
    are checked, and a usual mistake is named. `nnrun help plugins` shows how to write one.

    \b
    nnrun check configs/
    nnrun check configs/digits_cnn.yaml --gradients
    nnrun check configs/iris_softmax.yaml --learning-rate
    nnrun check configs/iris_softmax.yaml training.learning_rate=0.1
    nnrun check configs/boston_arch2.yaml --emit
    nnrun check configs/digits_cnn.yaml --picture network.svg
    nnrun check mylayer.py
    nnrun check exercise-1.yaml --lesson 1
    """
    paths, overrides = split_arguments(arguments)
    if lesson is not None or exercise is not None:
        number = OWN_EXERCISE if lesson is None else lesson
        check_lesson(output, number, paths, overrides, exercise, points=points)
        return
    if are_parts(paths):
        check_parts(output, paths, points=points)
        return
    files = config_files(paths)
    options = {"--gradients": gradients, "--learning-rate": learning_rate, "--picture": picture}
    _refuse([option for option, value in options.items() if value], len(files), emit=emit)
    if emit:
        _emit(output, files, overrides, iterations)
        return
    runs: list[CheckedRun] = []
    problems: list[Problem] = []
    codes: set[int] = set()
    for file in files:
        if gradients and len(files) > 1:
            output.note(f"comparing gradients of {file}")
        try:
            experiment = load_config(file, overrides, iterations)
            output.notes(f"{file}: {note}" for note in experiment.notes)
            run = describe(experiment, gradients=gradients, learning_rate=learning_rate)
            if run.dataset["inferred"]:
                output.note(f"{file}: task: {run.dataset['inferred']}")
            output.notes(_of_grid(experiment, file, overrides, iterations))
            if len(files) > 1:
                output.notes(f"{file}: warning: {each['message']}" for each in run.warnings)
            runs.append(run)
        except NnrunError as error:
            codes.add(error.exit_code)
            problems += _problems(error, file, problems)
    wrong_configs = ConfigError(problems)
    _draw(output, picture, runs)
    _present(output, runs, wrong_configs, alone=len(files) == 1)
    if problems:
        output.error(str(wrong_configs))
        # The exit code of a wrong config takes precedence over that of data that cannot be fetched.
        raise click.exceptions.Exit(max(codes))
    wrong = [run for run in runs if not run.gradients_agree]
    if wrong:
        raise DisagreementError(gradient_failures(wrong))


def _refuse(options: Sequence[str], files: int, *, emit: bool) -> None:
    """Refuse options that do not go together, or not with several configs."""
    if emit and options:
        raise click.UsageError(f"--emit and {options[0]} are two commands; give one of them")
    if files > 1 and (alone := [option for option in options if option != "--gradients"]):
        raise click.UsageError(f"{alone[0]} takes a single config")


def _draw(output: Output, picture: Path | None, runs: Sequence[CheckedRun]) -> None:
    if picture is None or not runs:
        return
    (run,) = runs
    if picture.suffix.lower() != ".svg":
        raise UsageError(f"--picture {picture}: it is an SVG file, whose name ends in .svg")
    if run.beside is not None:
        raise UsageError(f"scikit-learn's '{run.beside}' has no layers to draw")
    try:
        write_atomically(picture, network_picture(run.name, run.network).file.encode())
    except OSError as error:
        raise NnrunError(f"{picture} cannot be written: {error.strerror or error}") from error
    output.note(f"wrote {picture}")


def _of_grid(
    experiment: Experiment, file: Path, overrides: Sequence[str], iterations: int | None
) -> Iterator[str]:
    """The sweep that checks the settings of a config's grid together, if it has a grid."""
    sweep = experiment.config.sweep
    if sweep is not None and sweep.grid:
        configs = plural(prod(map(len, sweep.grid.values())), "config")
        length = [] if iterations is None else ["--iterations", str(iterations)]
        again = shlex.join(["nnrun", "sweep", str(file), *overrides, *length, "--dry-run"])
        yield f"{file}: the settings of its grid together are {configs}, which {again} checks"


def _emit(output: Output, files: list[Path], overrides: list[str], iterations: int | None) -> None:
    """Source on stdout and nothing else, so that it can go into a file."""
    if len(files) != 1:
        raise click.UsageError("--emit takes a single config")
    prepared = prepare(load_config(files[0], overrides, iterations))
    training = prepared.config.training
    try:
        source = source_code(
            prepared.network,
            training.make_optimizer(),
            clip_norm=training.clip_norm,
            batch_size=training.batch_size,
        )
    except EngineError as error:
        raise UsageError(f"{files[0]}: {error}") from None
    output.data({"source": source})
    if not output.json:
        click.echo(source)


def _problems(error: NnrunError, file: Path, before: list[Problem]) -> Iterator[Problem]:
    """The problems of one file; an argument that is wrong for every file is reported once."""
    if not isinstance(error, ConfigError):
        yield Problem(str(error), path=str(file))
        return
    arguments = {str(problem) for problem in before if problem.argument is not None}
    for problem in error.problems:
        if str(problem) not in arguments:
            yield problem


def _present(output: Output, runs: list[CheckedRun], error: ConfigError, alone: bool) -> None:
    output.data({"configs": [run.to_dict() for run in runs], **problems_data(error)})
    if alone:
        output.show(*(check_details(run) for run in runs))
    elif runs:
        output.show(check_overview(runs))


# `nnrun check FILE.py` and `--lesson N`: plugin files, and exercises of the course.

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
    _show_points(output, data, checked_parts(reports), points)
    wrong = [report for report in reports if report.wrong]
    if wrong:
        first = wrong[0].wrong[0]
        says = f"{wrong[0].part.place}: {wrong[0].part.name}: {first.check}: {first.says}"
        more = sum(len(report.wrong) for report in wrong) - 1
        raise DisagreementError(says + (f" (and {more} more)" if more else ""))


def check_lesson(
    output: Output,
    lesson: int,
    paths: list[Path],
    overrides: Sequence[str],
    exercise: Path | None,
    *,
    points: bool,
) -> None:
    """Grade the one file of an exercise, and print what is met and what is not.

    Raises:
        ConfigError: the config is invalid.
        PluginError: the layer's file cannot be loaded.
        ExerciseError: something is not met yet.
        DisagreementError: the same of the layer of the last lesson.
    """
    if lesson and exercise is not None:
        raise UsageError(f"--exercise {exercise} is of no lesson; leave --lesson {lesson} out")
    if len(paths) != 1 or (lesson == OWN_LAYER) != (paths[0].suffix == _SUFFIX):
        if exercise is not None:
            raise UsageError(f"--exercise {exercise} grades one config")
        raise UsageError(f"--lesson {lesson} grades one file, such as {hand_in_name(lesson)}")
    if overrides and lesson == OWN_GRADIENT:
        raise UsageError(f"{overrides[0]}: --lesson {lesson} grades the numbers of the file alone")
    from nnrun.course.exercises import grade_file  # noqa: PLC0415  # training is slow to import

    grade = grade_file(lesson, paths[0], overrides, exercise)
    _show_points(output, grade.to_dict(), graded(grade), points)
    if grade.wrong:
        missing = ", ".join(finding.check for finding in grade.wrong)
        kind = DisagreementError if lesson == OWN_LAYER else ExerciseError
        raise kind(f"{grade.file}: not met yet: {missing}")


def _show_points(output: Output, data: dict[str, Any], shown: RenderableType, points: bool) -> None:
    output.data(data)
    if points and not output.json:
        click.echo(strict_json(data), nl=False)
    elif not points:
        output.show(shown)
