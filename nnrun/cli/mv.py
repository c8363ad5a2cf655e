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
from nnrun.runs.catalog.notes import change_notes, read_notes
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
    if not is_name(new):
        raise UsageError(f"'{new}' is no name of an experiment: {NAME_RULE}")
    name, run_id = _meant(run, results)
    runs = [each for each in look(results, (name,)) if run_id in ("", each.run_id)]
    old, target = (name, new) if not run_id else (f"{name}/{run_id}", f"{new}/{run_id}")
    _refuse_used(runs, {name, new}, results, not run_id)
    if os.path.lexists(results / target):
        raise UsageError(f"{results / target} exists already; nothing is renamed")
    store = Store(results, lambda _: "")
    labels = {each.label: f"{new}/{each.run_id}" for each in runs}
    if notes := {label: text for label, text in read_notes(results).items() if label in labels}:
        # Under both names for the moment, so that they are never lost.
        change_notes(results, {labels[label]: text for label, text in notes.items()})
    store.rename(old, target)
    if notes:
        change_notes(results, dict.fromkeys(notes, ""))
    if not run_id:
        from nnrun.reports.leaderboard_files import renamed_boards  # noqa: PLC0415  # slow to import

        for file, files in renamed_boards(results, old, new):
            store.write(files)
            if file.name not in files:
                file.unlink(missing_ok=True)
    output.data({"old": old, "new": target, "runs": [*labels.values()]})
    output.note(f"{old} is {target} now, with {plural(len(runs), 'run')}")


def _meant(word: str, results: Path) -> tuple[str, str]:
    """The name of what gets another name, and the id of a run; "" for a whole experiment."""
    name = named(word, results).rstrip("/")
    if name in names_in(results) and look(results, (name,)):
        return name, ""
    folder = pick_run(word, results)
    if lies_in(folder, results):
        return folder.parent.name, folder.name
    raise UsageError(f"{folder} is not in {results}, and stays; see --results")


def _refuse_used(runs: Sequence[RunSummary], names: set[str], results: Path, whole: bool) -> None:
    """Raise a UsageError for a run that is in use, or a search that would lose one."""
    swept = {name for sweep in sweeps_in(results) for name in sweep.names}
    if busy := sorted(names & swept):
        raise UsageError(f"a sweep of {busy[0]} is in progress; rename it when that has ended")
    for run in runs:
        if run.status in IN_PROGRESS or is_held(results / run.label):
            raise UsageError(f"{run.label} is being trained; it can be renamed when that has ended")
        if run.search and not whole:
            what = f"`nnrun mv {run.name} NEW` renames all of its runs"
            raise UsageError(f"{run.label} belongs to a search, which needs it; {what}")
