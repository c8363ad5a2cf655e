"""`nnrun sweep`: configs × grid × seeds, in parallel, to one leaderboard."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

import click

from nnrun.cli import options
from nnrun.cli.arguments import command_again, split_arguments
from nnrun.cli.output import Output
from nnrun.cli.shards import board_of, shard_data, write_news
from nnrun.cli.signals import Interruption
from nnrun.cli.sweep_view import watching_sweep
from nnrun.config.files import config_files
from nnrun.config.names import BESIDE
from nnrun.config.overrides import MAX_RANGE
from nnrun.errors import NnrunError, UsageError
from nnrun.reports.markdown.leaderboard_files import leaderboard_files
from nnrun.reports.markdown.replication import replication_markdown
from nnrun.reports.markdown.run import report_markdown
from nnrun.reports.numbers import count, duration, plural
from nnrun.reports.terminal.leaderboard import incomplete, leaderboard_tables
from nnrun.reports.terminal.plan import Outlook, plan_table
from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.execution.threads import threads_for
from nnrun.runs.storage.reading import damaged
from nnrun.runs.storage.store import Store
from nnrun.sweeps.board.published.reference import read_references
from nnrun.sweeps.board.published.replication import Replication, replications
from nnrun.sweeps.choose import local_workers, workers_for
from nnrun.sweeps.planning.beside import models_of
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.grid import Arguments
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.planning.shard import WHOLE, Shard
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.progress import Failure, SweepProgress
from nnrun.sweeps.sweep import Sweep
from nnrun.sweeps.workers.dask import DaskWorkers
from nnrun.trackers.addresses import Trackers
from nnrun.trackers.tracking import Tracking

_MOST_FAILURES = 20
_MANY_CHOICES = 100
MOST_RUNS = 100_000
REPLICATION = "REPLICATION.md"


@dataclass(frozen=True)
class _Request:
    """The options of the command."""

    results: Path
    seeds: int | None
    max_runs: int
    iterations: int | None
    jobs: int | None
    threads: int | None
    dask: str | None
    recursive: bool
    order_by: str | None
    margin: float | None
    beside: str | None
    replication: bool
    reference: Path | None
    shard: Shard
    force: bool
    fail_fast: bool
    trackers: Trackers


@click.command("sweep")
@click.argument("arguments", nargs=-1, required=True, metavar="PATH... [KEY=VALUE]...")
@click.option(
    "--seeds",
    type=click.IntRange(min=1, max=MAX_RANGE),
    metavar="N",
    help="N seeds for each config, counted from its seed on.",
)
@click.option(
    "--max-runs",
    type=click.IntRange(min=1),
    default=MOST_RUNS,
    metavar="N",
    help=f"Refuse sweeps of more runs; {MOST_RUNS:,} by default.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train N runs at a time; by default as many as there are cores, if that saves time.",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Train on the cluster of this Dask scheduler. Scheduler and workers can run code as you: "
    "use tls://… wherever others can reach them.",
)
@options.shard_option
@click.option("--recursive", is_flag=True, help="Take the configs of subfolders as well.")
@click.option("--dry-run", is_flag=True, help="Show the plan, and train nothing.")
@options.order_by_option
@options.margin_option
@click.option(
    "--beside",
    metavar="MODELS",
    help=f"Train models of scikit-learn on the same splits and seeds: {', '.join(BESIDE)}, or some "
    "of them, separated by commas.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first run that fails.")
@click.option(
    "--replication",
    is_flag=True,
    help=f"Write {REPLICATION} in the results folder: published numbers beside ours.",
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="With --replication: a CSV of means of repeated runs to hold ours against.",
)
@options.results_option
@options.iterations_option
@options.threads_option
@options.force_option
@options.tracker_options
@options.wide_option
@options.output_options
@click.pass_obj
def command(
    output: Output, /, arguments: tuple[str, ...], dry_run: bool, **request: object
) -> None:
    """Train many configs with many seeds, and compare them.

    Paths are config files, or folders of them. An argument with several values spans a grid, and
    takes the place of what a config's `sweep` block says about that key; `seed=…` or --seeds that
    of its seeds. Complete runs are not trained again: the same command continues a sweep that
    was interrupted.

    \b
    nnrun sweep configs/
    nnrun sweep configs/ training.learning_rate=0.1,0.01 'seed=range(0,20)'
    nnrun sweep configs/iris_softmax.yaml --seeds 20 --dry-run
    nnrun sweep configs/iris_softmax.yaml --seeds 20 --beside linear,forest
    """
    asked = _Request(**request)  # type: ignore[arg-type]
    if asked.dask is not None and asked.jobs is not None:
        raise UsageError("--jobs is for processes on this machine, and --dask for a cluster")
    if asked.dask is not None and not asked.dask.strip():
        raise UsageError("--dask needs the address of a scheduler, such as tcp://127.0.0.1:8786")
    if asked.reference is not None and not asked.replication:
        raise UsageError("--reference says what --replication holds our means against; add that")
    if asked.replication and asked.shard != WHOLE:
        raise UsageError("--replication is about all runs; add it to the command without --shard")
    references = read_references(asked.reference) if asked.reference else {}
    with Interruption() as interruption:
        paths, words = split_arguments(arguments)
        if asked.order_by is not None:
            words = [*words, f"sweep.order_by={asked.order_by}"]
        files = config_files(paths, asked.recursive)
        datasets = Datasets()
        models = None if asked.beside is None else models_of(asked.beside)
        wanted = Arguments.parse(words, asked.seeds, asked.iterations, asked.max_runs, models)
        plan = make_plan(
            {str(file): file for file in files},
            wanted,
            datasets,
            begin=lambda choices: _announce(choices, output),
        )
        plan = replace(plan, shard=asked.shard)
        store = Store(asked.results, report_markdown, RunIndex(asked.results))
        for name in plan.names:
            store.folder(name, "")  # refuses a link that leads elsewhere
        if dry_run:
            _show_plan(plan, store, output, asked)
            return
        again = command_again(force=None)  # it resumes the sweep
        with asked.trackers.open(output.error, asked.results, "sweep") as tracking:
            progress = _run(plan, store, datasets, output, interruption, asked, again, tracking)
            found = replications(progress, references) if asked.replication else []
            _conclude(progress, store, output, interruption, asked, again, found, tracking)


def _announce(choices: int, output: Output) -> None:
    """Say what takes seconds, on a terminal only."""
    if choices >= _MANY_CHOICES and sys.stderr.isatty():
        output.note(f"looking at {count(choices)} configs of the grid")


def _show_plan(plan: Plan, store: Store, output: Output, asked: _Request) -> None:
    here = {variant.number: [*runs] for _, variant, runs in plan.portions()}
    complete, seconds = [], 0.0
    for variant in plan.variants:
        runs = [] if asked.force else here.get(variant.number, [])
        read = (store.run(variant.name, one.run_id).read() for one in runs)
        found = [run for run in read if run is not None]
        for run in found:
            if run.is_damaged:
                output.note(damaged(store.folder(run.name, run.run_id), run.problem))
        complete.append(sum(run.complete for run in found))
        left = len(here.get(variant.number, ()))
        left -= sum(run.complete or run.is_damaged for run in found)
        seconds += variant.estimate.seconds * left
    workers = 1 if asked.dask else workers_for(plan, asked.jobs)
    counts = [len(here.get(variant.number, ())) for variant in plan.variants]
    outlook = Outlook(plan, counts, complete, workers, seconds / workers)
    output.data(outlook.to_dict())
    output.show(plan_table(outlook))


def _run(
    plan: Plan,
    store: Store,
    datasets: Datasets,
    output: Output,
    interruption: Interruption,
    asked: _Request,
    again: str,
    tracking: Tracking,
) -> SweepProgress:
    start = monotonic()
    processes = 1 if asked.dask else workers_for(plan, asked.jobs)
    part = "" if plan.shard == WHOLE else f"shard {plan.shard}, "
    with watching_sweep(len(plan), output, part) as listener:
        sweep = Sweep(
            plan, store, datasets, tracking.listening(listener), interruption.stop,
            force=asked.force, fail_fast=asked.fail_fast,
            threads=(asked.threads or 1) if asked.dask else threads_for(asked.threads, processes),
        )  # fmt: skip
        workers = DaskWorkers.at(asked.dask) if asked.dask else local_workers(sweep, processes)
        interruption.defer()
        try:
            with _sparing_what_is_there():
                progress = sweep.run(workers)
        except NnrunError as error:
            message = f"{error}; what was finished is saved; to continue:\n  {again}"
            raise NnrunError(message) from error
    output.note(_summary(progress, monotonic() - start))
    return progress


@contextmanager
def _sparing_what_is_there() -> Iterator[None]:
    """Exclude all existing objects from garbage collection: modules, plan and data.

    To look through them takes as long as tens of small runs, and it would after some hundred.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _summary(progress: SweepProgress, seconds: float) -> str:
    parts = [f"{count(progress.trained)} trained in {duration(seconds)}"]
    if progress.found:
        parts.append(f"{count(progress.found)} complete already")
    parts += incomplete(progress)
    if progress.missing:
        parts.append(f"{count(progress.missing)} left")
    return f"{_runs_of(progress.plan)}: {', '.join(parts)}"


def _runs_of(plan: Plan) -> str:
    """`12 runs`, or `shard 2/3, 4 of 12 runs`."""
    if plan.shard == WHOLE:
        return plural(len(plan), "run")
    return f"shard {plan.shard}, {count(len(plan))} of {plural(len(plan.whole), 'run')}"


def _conclude(
    progress: SweepProgress,
    store: Store,
    output: Output,
    interruption: Interruption,
    asked: _Request,
    again: str,
    replicated: Sequence[Replication],
    tracking: Tracking,
) -> None:
    """Show and write the results, and exit with their code."""
    whole = not progress.missing
    board = board_of(progress, store, asked.margin) if whole else None
    output.data(
        {
            "runs": len(progress.plan),
            **shard_data(progress.plan),
            "trained": progress.trained,
            "complete_before": progress.found,
            "diverged": progress.diverged,
            "failed": progress.failed,
            "left": progress.missing,
            "failures": [asdict(failure) for failure in progress.failures],
            "leaderboard": None if board is None else board.to_dict(),
        }
    )
    errors = [_failures(progress, store)] if progress.failures else []
    if board is not None:
        output.show(leaderboard_tables(board, store.root))
        files = leaderboard_files(board)
        if asked.replication:
            files[REPLICATION] = replication_markdown(replicated, again).encode()
        try:
            store.write(files)
            output.note(f"wrote {', '.join(str(store.root / name) for name in files)}")
            tracking.board([store.root / name for name in files])
            write_news(board, progress, store, asked.margin)
        except OSError as error:
            place = error.filename or store.root
            reason = error.strerror or error
            errors.append(f"the leaderboard cannot be written: {place}: {reason}")
    else:
        remedy = "to continue, keeping complete runs" if asked.force else "to continue"
        errors.append(f"{remedy}:\n  {again}")
    if interruption.stop() and not whole:
        saved = f", {count(progress.interrupted)} saved half-way" if progress.interrupted else ""
        done = f"{count(progress.ended)} of {count(len(progress.plan))} runs are complete{saved}"
        raise interruption.error("\n".join([f"interrupted: {done}", *errors]))
    if errors:
        raise NnrunError("\n".join(errors))


def _failures(progress: SweepProgress, store: Store) -> str:
    """How many runs failed, and where the details are; the reasons were printed before."""
    number = len(progress.failures)
    lines = [f"of {plural(len(progress.plan), 'run')}, {' and '.join(incomplete(progress))}"]
    lines += [_failure(failure, store) for failure in progress.failures[:_MOST_FAILURES]]
    if number > _MOST_FAILURES:
        lines.append(f"  and {count(number - _MOST_FAILURES)} more")
    return "\n".join(lines)


def _failure(failure: Failure, store: Store) -> str:
    report = store.root / failure.key / "report.md"
    return f"  {failure.label}: {report if report.is_file() else failure.reason}"
