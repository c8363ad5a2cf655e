"""`nnrun mv`: another name for an experiment or a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.config.names import NAME_RULE, is_name
from nnrun.errors import UsageError
from nnrun.reports.numbers import plural
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.notes import RunNote, change_notes, read_notes
from nnrun.runs.catalog.select import lies_in, named
from nnrun.runs.catalog.summary import IN_PROGRESS, RunSummary
from nnrun.runs.storage.store import Store
from nnrun.runs.storage.sweep_progress import is_held, names_in, sweeps_in
from nnrun.sweeps.named_runs import pick_run


@click.command("mv")
@options.run_argument()
@click.argument("new")
@options.results_options
def command(output: Output, /, run: str, new: str, results: Path) -> None:
    """Give an experiment, or one of its runs, another name.

    RUN is the name of an experiment, or of a run: its folder, name/ID-PREFIX, or latest. NEW is the
    name of the experiment that it becomes; a run keeps its id, and may go to an experiment that
    there is. Files of runs do not change, so a config that still has the old name begins anew.
    Notes follow, and so do leaderboards with an experiment. What is being trained stays.

    \b
    nnrun mv iris_softmax iris_first
    nnrun mv iris_softmax/s42-1f iris_kept
    """
    if not results.is_dir():
        raise UsageError(f"there is no results folder {results}")
    if not is_name(new):
        raise UsageError(f"'{new}' is no name of an experiment: {NAME_RULE}")
    runs, whole = _meant(run, results)
    name = runs[0].name
    old, target = (name, new) if whole else (runs[0].label, f"{new}/{runs[0].run_id}")
    _refuse_used(runs, {name, new}, results, whole=whole)
    if os.path.lexists(results / target):
        raise UsageError(f"{results / target} exists already; nothing is renamed")
    store = Store(results, lambda _: "")
    labels = {each.label: f"{new}/{each.run_id}" for each in runs}
    # A note is kept under both names for the moment, so that it is never lost.
    notes = {k: note for k, note in read_notes(results).items() if k in labels}
    if notes:
        change_notes(results, {labels[k]: note for k, note in notes.items()})
    store.rename(old, target)
    if notes:
        change_notes(results, dict.fromkeys(notes, RunNote()))
    if whole:
        _rename_boards(store, old, new)
    output.data({"old": old, "new": target, "runs": [*labels.values()]})
    output.note(f"{old} is {target} now" + (f", with {plural(len(runs), 'run')}" if whole else ""))


def _meant(word: str, results: Path) -> tuple[list[RunSummary], bool]:
    """The runs that get another name, and whether they are a whole experiment."""
    name = named(word, results).rstrip("/")
    if name in names_in(results) and (runs := look(results, (name,))):
        return runs, True
    folder = pick_run(word, results)
    if not lies_in(folder, results):
        raise UsageError(f"{folder} is not in {results}, and stays; see --results")
    runs = look(results, (folder.parent.name,))
    return [run for run in runs if run.run_id == folder.name], False


def _refuse_used(
    runs: Sequence[RunSummary], names: set[str], results: Path, *, whole: bool
) -> None:
    """Raise a UsageError for a run that is in use, or a search that would lose one."""
    for run in runs:
        if run.status in IN_PROGRESS or is_held(results / run.label):
            raise UsageError(f"{run.label} is being trained; it can be renamed when that has ended")
        if run.search and not whole:
            raise UsageError(
                f"{run.label} belongs to a search, which needs all of its runs; `nnrun mv "
                f"{run.name} NEW` renames them together"
            )
    swept = {name for sweep in sweeps_in(results) for name in sweep.names}
    if busy := sorted(names & swept):
        raise UsageError(f"a sweep of {busy[0]} is in progress; rename it when that has ended")


def _rename_boards(store: Store, old: str, new: str) -> None:
    from nnrun.reports.leaderboard_files import renamed_boards  # noqa: PLC0415  # slow to import

    for files, file in renamed_boards(store.root, old, new):
        store.write(files)
        if file.name not in files:
            file.unlink(missing_ok=True)
