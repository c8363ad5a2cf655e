"""The function `check`: what shows of a config without training it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from nnrun.api.run import Config, Plugins, experiment_of, explained, words
from nnrun.config.load import Experiment
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.course.files import NUMBERS
from nnrun.course.grading import Grade
from nnrun.data.dataset import Dataset
from nnrun.data.splits import load_dataset, loader_of
from nnrun.errors import NnrunError, UsageError
from nnrun.explain.update import Explanation, explain_config
from nnrun.reports.checks import CheckedRun
from nnrun.runs.diagnosis.data import about_data
from nnrun.runs.execution.descriptions import describe_dataset, described_network
from nnrun.runs.execution.rate_finder import find_rate
from nnrun.runs.preparation.gradients import check_run_gradients
from nnrun.runs.preparation.prepare import ENGINE, PreparedBeside, prepare

Overrides = Mapping[str, Any] | None


class Check(CheckedRun):
    """A checked config, which notebooks show as a table."""

    def _repr_html_(self) -> str:
        """Layers, data and training, for notebooks."""
        from nnrun.reports.checks import check_document  # noqa: PLC0415  # likewise
        from nnrun.reports.notebook_blocks import document_html  # noqa: PLC0415  # imports charts

        return document_html(check_document(self))


class Graded(Grade):
    """The grade of an exercise, which notebooks show as the terminal does."""

    def __repr__(self) -> str:
        from nnrun.reports.terminal.checking import graded  # noqa: PLC0415  # imports charts
        from nnrun.reports.terminal.fitting import as_text  # noqa: PLC0415  # likewise

        return as_text(graded(self))


class Explained(Explanation):
    """An update of training, which notebooks show as a page with every number."""

    def _repr_html_(self) -> str:
        from nnrun.reports.explain.page import render  # noqa: PLC0415  # imports charts
        from nnrun.reports.notebook_blocks import framed  # noqa: PLC0415  # likewise

        return framed(render(self), self.title)


@overload
def check(config: Config, overrides: Overrides = None, *, lesson: int) -> Graded: ...
@overload
def check(config: Config, overrides: Overrides = None, *, data: Any = None,
          iterations: int | None = None, gradients: bool = False,
          plugins: Plugins = ()) -> Check: ...  # fmt: skip


@explained
def check(
    config: Config,
    overrides: Overrides = None,
    *,
    data: Any = None,
    iterations: int | None = None,
    gradients: bool = False,
    plugins: Plugins = (),
    lesson: int | None = None,
) -> Check | Graded:
    """Check a config and describe its run, without training it.

    Args:
        config: a YAML file, or its content as a dictionary.
        overrides: values by their dotted keys.
        data: in place of the config's file: a table of pandas, polars or pyarrow, or arrays as
            `(x, y)`; runs know it by its content.
        iterations: replaces the config's iterations or epochs.
        gradients: whether to compare every parameter's gradient with a numerical one.
        plugins: Python files that register parts which the config names; see `nnrun.plugins`.
        lesson: of the course; the file is graded for its exercise, and other arguments are not
            used.

    Raises:
        ConfigError: with all mistakes of the config.
        UsageError: the run needs more memory than is free, or an argument is invalid.
    """
    if lesson is not None:
        from nnrun.course.exercises import grade_file  # noqa: PLC0415  # slow to import

        if lesson not in NUMBERS or isinstance(config, Mapping):
            raise UsageError(
                f"lesson={lesson!r}: a file is graded, for a lesson of nnrun help course"
            )
        return Graded(**vars(grade_file(lesson, Path(config), words(overrides))))
    experiment = experiment_of(config, overrides, None, iterations, data)
    found = describe(experiment, gradients=gradients, load=loader_of(data) or load_dataset)
    return Check(**vars(found))


@explained
def explain(
    config: Config,
    overrides: Overrides = None,
    *,
    rows: Sequence[int] = (),
    plugins: Plugins = (),
) -> Explained:
    """Explain the first update of a config's training, with every number.

    Args:
        config: a YAML file, or its content as a dictionary.
        overrides: values by their dotted keys.
        rows: numbers of training rows in the data, from 1 on; by default the first of a batch.
        plugins: as for `check`.

    Raises:
        ConfigError: with all mistakes of the config.
        UsageError: a row is no training row, or the config has no network.
    """
    experiment = experiment_of(config, overrides, None, None, None)
    return Explained(**vars(explain_config(experiment, rows)))


def data_warnings(experiment: Experiment) -> list[str]:
    """What is wrong with the data of a config, the worst first; nothing if they cannot be read."""
    try:
        prepared = prepare(experiment)
        found = about_data(prepared.dataset, prepared.split, describe_dataset(prepared))
    except NnrunError:
        return []  # as `check` and `train` say
    return [each.message for each in found]


def describe(
    experiment: Experiment,
    *,
    gradients: bool,
    learning_rate: bool = False,
    load: Callable[[DatasetConfig], Dataset] = load_dataset,
) -> CheckedRun:
    """The result of `check` for a loaded config."""
    prepared = prepare(experiment, load)
    config = prepared.config
    found = CheckedRun(
        file=str(experiment.file),
        name=config.name,
        description=config.description,
        run_id=prepared.run_id,
        dataset={**describe_dataset(prepared), "inferred": prepared.inferred},
        network=described_network(prepared),
    )
    of_data = about_data(prepared.dataset, prepared.split, found.dataset)
    found = replace(found, warnings=[each.to_dict() for each in of_data])
    if isinstance(prepared, PreparedBeside):
        if gradients or learning_rate:
            lacks = "gradients to compare" if gradients else "learning rate"
            raise UsageError(f"scikit-learn's '{prepared.model}' has no {lacks}")
        return replace(found, engine=ENGINE, beside=prepared.model)
    selected = prepared.select_engine()
    return replace(
        found,
        memory=prepared.memory,
        iterations=prepared.iterations,
        networks=prepared.config.networks,
        batch_size=config.training.batch_size,
        epochs=prepared.iterations / prepared.batches_per_epoch,
        dtype=config.training.dtype,
        engine=selected.name,
        engine_note=selected.note,
        gradients=check_run_gradients(prepared) if gradients else None,
        learning_rate=find_rate(prepared, experiment) if learning_rate else None,
    )
