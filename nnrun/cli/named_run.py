"""The run that a command is given, its model, and a word on which one it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from nnrun.characters import clean
from nnrun.cli.options import command_again
from nnrun.cli.output import Output
from nnrun.data.readers.opening import file_sha256
from nnrun.errors import DamageError, UsageError
from nnrun.models.load import load_model as load
from nnrun.models.model import Model
from nnrun.reports.commands import command_line
from nnrun.reports.numbers import count
from nnrun.runs.catalog.select import BEST, LATEST, lies_in, named
from nnrun.runs.pack import is_packed
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import (
    WITHOUT_MODEL,
    read_run,
    refuse_damaged,
    refuse_unusable_model,
)
from nnrun.sweeps.named_runs import best, choice_of, pick_run, settings_vary

# The run that a command is given, with a word on which one it is.


def picked(
    run: str,
    results: Path,
    output: Output,
    by: str | None = None,
    *,
    in_folds: bool = False,
    passed_over: Collection[str] = (),
) -> Path:
    """The folder of a run; stderr says which it is, and whether its experiment has a better one.

    Args:
        run: as `pick_run` takes it, or a packed run.
        results: the results folder.
        output: for the notes.
        by: the split by which the best is chosen.
        in_folds: as `choice_of` takes it.
        passed_over: as `pick_run` takes it; of statuses without a model.

    Raises:
        UsageError: there is no such run, or several.
    """
    if is_packed(run):
        from nnrun.runs.pack import unpacked  # noqa: PLC0415  # slow to import

        return click.get_current_context().with_resource(unpacked(Path(run)))
    choice = choice_of(run, results, by, in_folds=in_folds)
    if choice is not None:
        from nnrun.reports.best import chosen_words  # noqa: PLC0415  # slow to import

        for line in chosen_words(choice, results, {"--by": by}):
            output.note(line)
        return results / choice.record.name / choice.record.run_id
    folder = pick_run(run, results, by, passed_over=passed_over)
    if not lies_in(folder, results) or Path(run).name == folder.name:
        return folder
    word = named(run, results).rstrip("/")
    newest = word in (folder.parent.name, LATEST)
    words = ", the newest" if newest else ""
    if newest and passed_over and (other := pick_run(run, results)).name != folder.name:
        words += f" with a model; {other.parent.name}/{other.name} is newer and has none"
    output.note(f"run: {folder.parent.name}/{folder.name}{words}")
    if newest and word != LATEST:
        _note_better(folder, results, output)
    return folder


def _note_better(folder: Path, results: Path, output: Output) -> None:
    """Say so where a name alone leads to another setting than the best."""
    name = folder.parent.name
    if output.quiet or not settings_vary(name, results):
        return
    from nnrun.reports.best import better_words  # noqa: PLC0415  # slow to import

    try:
        choice = best(results, name)
    except DamageError as error:
        output.note(str(error))
        return
    except UsageError:  # there is nothing to choose from
        return
    word = f"{name}/{BEST}"
    # What commands call their runs; of `explain` the argument can also be a config.
    command = command_again(run=word, runs=[word], arguments=[word])
    for line in better_words(choice, folder.name, command):
        output.note(line)


def report_of(folder: Path, results: Path, what: str) -> RunRecord:
    """The report of a run.

    Raises:
        UsageError: it is damaged, or there is none, so that the run cannot be `what`.
    """
    found = read_run(folder, placed=lies_in(folder, results))
    refuse_damaged(found, folder)
    if found is None or found.record is None:
        why = "no run is there any more" if found is None else found.problem
        raise UsageError(f"{folder} cannot be {what}: {why}")
    return found.record


# The model of the run that a command is given.


class Selected(NamedTuple):
    """The model of a run, and its report if it has one."""

    model: Model
    record: RunRecord | None


def load_selected(
    run: str, results: Path, output: Output, by: str | None, rows: Path | None = None
) -> Selected:
    """The model of a run, with notes on which it is and where it has not come to its end.

    Another note says if `rows`, the file to predict, is the data of the run.

    Raises:
        UsageError: there is no such run, it is damaged, or it keeps no model.
        NnrunError: the model's file is damaged.
    """
    folder = picked(run, results, output, by, passed_over=WITHOUT_MODEL)
    found = read_run(folder, placed=lies_in(folder, results)) if folder.is_dir() else None
    refuse_damaged(found, folder)
    record = None if found is None else found.record
    if record is not None:
        refuse_unusable_model(folder, record)
    model = load(folder)
    if record is None:
        return Selected(model, None)
    if record.status in ("interrupted", "stopped"):
        iterations = count(record.timing["iterations"])
        output.note(
            f"this run was {record.status}: its weights are those of iteration {iterations}"
        )
    if rows is not None and rows.is_file():
        for note in _own_data(run, results, record, rows):
            output.note(note)
    return Selected(model, record)


def decided(model: Model, threshold: float | None, output: Output) -> dict[str, Any]:
    """Have a model predict by a threshold, if one is given, and say by which it does.

    Returns:
        The `positive` class and the `threshold` on its probability; None each for neither.

    Raises:
        UsageError: the model has no probabilities of two classes, or the threshold is NaN.
    """
    if threshold is not None:
        model.decide_from(threshold)
    if model.decision is None:
        return {"positive": None, "threshold": None}
    positive, least = model.layout.classes[model.positive], model.decision.threshold
    output.note(f"'{clean(positive)}' is predicted from a probability of {least:.6g} on")
    return {"positive": positive, "threshold": least}


def _own_data(run: str, results: Path, record: RunRecord, rows: Path) -> Iterator[str]:
    """What to know of predictions for the file that a run was trained on; else nothing."""
    if file_sha256(rows) != record.dataset.get("sha256"):
        return
    trained = count(record.dataset["n_train"])
    yield f"{rows} is the data of this run, which was trained on {trained} of its rows"
    if record.config["dataset"].get("folds"):
        command = command_line("predict", [run], results, {"--out-of-fold": True})
        yield f"`{command}` predicts each row by a run that was not trained on it"
