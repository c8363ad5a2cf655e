"""The run that a command is given, with a word on which one it is."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click

from nnrun.cli.options import command_again
from nnrun.cli.output import Output
from nnrun.errors import DamageError, UsageError
from nnrun.runs.catalog.select import BEST, LATEST, lies_in, named
from nnrun.runs.record import RunRecord
from nnrun.runs.sharing import is_packed
from nnrun.runs.storage.reading import read_run, refuse_damaged
from nnrun.sweeps.named_runs import best, choice_of, pick_run, settings_vary


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

        output.notes(chosen_words(choice, results, {"--by": by}))
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
    output.notes(better_words(choice, folder.name, command))


def report_of(folder: Path, results: Path, what: str) -> RunRecord:
    """The report of a run.

    Raises:
        UsageError: it is damaged, or there is none, so that the run cannot be `what`.
    """
    stored = read_run(folder, placed=lies_in(folder, results))
    refuse_damaged(stored, folder)
    if stored is None or stored.record is None:
        why = "no run is there any more" if stored is None else stored.problem
        raise UsageError(f"{folder} cannot be {what}: {why}")
    return stored.record
