"""`nnrun rm`: runs that are no longer wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.reports.numbers import first_of, plural
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.notes import change_notes, read_notes
from nnrun.runs.catalog.select import Condition, lies_in, named, unmatched, where
from nnrun.runs.catalog.summary import IN_PROGRESS, RunSummary, by_time
from nnrun.runs.storage.durable import remove_empty
from nnrun.runs.storage.store import Store
from nnrun.sweeps.named_runs import pick_run

_SEARCH = "search.json"


@click.command("rm")
@options.run_argument(many=True)
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of the experiments that RUN names, the runs for which this holds, as in `nnrun ls`.",
)
@options.flag("--all everything", "All runs of the experiments that RUN names.")
@options.flag("--dry-run", "Only show which runs would be removed.")
@options.results_options
def command(
    output: Output,
    /,
    runs: tuple[str, ...],
    conditions: tuple[str, ...],
    everything: bool,
    dry_run: bool,
    results: Path,
) -> None:
    """Remove runs from the results folder: their reports, weights and learning curves.

    RUN is a run's folder or name/ID-PREFIX; with --where or --all, the name of an experiment.
    Nothing is asked, and what is removed is gone; leaderboards keep what they say. Runs that are
    being trained stay, and so do those of a search, unless all of its experiment are removed.

    \b
    nnrun rm iris_softmax/s42-1f
    nnrun rm iris_softmax --where status=diverged --dry-run
    nnrun rm iris_softmax --all
    """
    if not results.is_dir():
        raise UsageError(f"there is no results folder {results}")
    chosen = _experiments(runs, conditions, results, output) if conditions or everything else None
    found = [*_named(runs, results)] if chosen is None else chosen
    _refuse_kept(found, results, whole=everything and not conditions)
    output.data([run.label for run in found])
    if dry_run:
        if not output.json:
            output.text("".join(f"{run.label}\n" for run in found))
        output.note(f"{plural(len(found), 'run')} would be removed")
        return
    store = Store(results, lambda _: "")
    removed = [run.label for run in found if store.run(run.name, run.run_id).remove()]
    if everything and not conditions:
        for name in {run.name for run in found}:
            (results / name / _SEARCH).unlink(missing_ok=True)
            remove_empty([results / name])
    if noted := {label: "" for label in removed if label in read_notes(results)}:
        change_notes(results, noted)
    kept = [run.label for run in found if run.label not in removed]
    if kept:
        output.note(f"kept, since other files are in their folders: {first_of(kept)}")
    output.note(f"removed {plural(len(removed), 'run')}")


def _experiments(
    names: Sequence[str], conditions: Sequence[str], results: Path, output: Output
) -> list[RunSummary]:
    """The runs of whole experiments for which all conditions hold."""
    names = [named(name, results).rstrip("/") for name in names]
    runs = by_time(look(results, names))
    for name in names:
        if name not in {run.name for run in runs}:
            raise UsageError(f"no run in {results} is called '{name}'")
    wanted = [Condition.parsed(text) for text in conditions]
    output.notes(unmatched(runs, wanted))
    return where(runs, wanted)


def _named(words: Sequence[str], results: Path) -> Iterator[RunSummary]:
    """The runs that are named each by itself."""
    for word in words:
        name = named(word, results).rstrip("/")
        alike = [] if "/" in name else look(results, (name,))
        if len(alike) > 1:
            raise UsageError(
                f"'{name}' has {len(alike):,} runs; name one, as in {alike[0].label}, or give "
                "--where or --all"
            )
        folder = pick_run(word, results)
        if not lies_in(folder, results):
            raise UsageError(f"{folder} is not in {results}, and stays; see --results")
        yield from (
            run for run in look(results, (folder.parent.name,)) if run.run_id == folder.name
        )


def _refuse_kept(runs: Sequence[RunSummary], results: Path, *, whole: bool) -> None:
    """Raise a UsageError for a run that is in use."""
    for run in runs:
        if run.status in IN_PROGRESS:
            raise UsageError(f"{run.label} is being trained; it can be removed when that has ended")
        if run.search and not whole:
            raise UsageError(
                f"{run.label} belongs to a search, which needs all of its runs; `nnrun rm "
                f"{run.name} --all` removes it with them"
            )
