"""`nnrun sweep`: configs × grid × seeds, in parallel, to one leaderboard; `--dry-run`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import click

from nnrun.cli import options
from nnrun.cli.group import Interruption
from nnrun.cli.options import command_again
from nnrun.cli.output import Output
from nnrun.cli.train_many import Request, compared_options, saying_how_to_go_on
from nnrun.config.names import REPLICATION
from nnrun.errors import NnrunError, UsageError, first_of
from nnrun.reports.board_verdict import board_data
from nnrun.reports.boards import incomplete
from nnrun.reports.leaderboard_files import leaderboard_files, replication_markdown
from nnrun.reports.live.runs import Runs
from nnrun.reports.live.work import Checks
from nnrun.reports.numbers import count, duration, plural
from nnrun.reports.run import report_markdown
from nnrun.reports.shown import shown
from nnrun.reports.terminal.sweeps import Forecast, Outlook, leaderboard_tables, plan_table
from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.storage.reading import damaged, read_run
from nnrun.runs.storage.store import Store
from nnrun.sweeps.active_runs import Failure, SweepProgress
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.power import LEAST, SEEDS, powers
from nnrun.sweeps.board.published import Replication, read_references, replications
from nnrun.sweeps.board.rows import Leaderboard, of_plan, with_margin
from nnrun.sweeps.board.stored import gathered, gathered_leaderboard
from nnrun.sweeps.planning.frozen import read_frozen
from nnrun.sweeps.planning.plan import WHOLE, Plan, Variant
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import workers_for
from nnrun.sweeps.workers.job import NOT_IN_CODE
from nnrun.systems.process import not_collected
from nnrun.trackers.tracking import Tracking

# `nnrun sweep --dry-run`: the plan, and how long the rest of it takes.

_NOT_IN_CODE = {f"training.{key}" for key in NOT_IN_CODE}


def show_plan(
    plan: Plan, store: Store, output: Output, asked: Request, *, power: bool = False
) -> None:
    """Show the plan of a sweep, with the runs that are complete, and with its power if asked.

    Raises:
        NnrunError: the values of some settings contradict each other.
        UsageError: its power is asked for, and there are no runs to go by.
    """
    forecast = _forecast(plan, store, asked) if power else None
    # A look for each run would take longer than making the plan.
    begun = {} if asked.force else {name: store.begun(name) for name in plan.names}
    rows, seconds, compiling, refused = [], 0.0, dict[str, float](), dict[int, str]()
    with shown(Checks(), output) as looked:
        for _, variant, planned in plan.portions(least=0):  # another pass would make them anew
            name, runs = variant.name, [run.run_id for run in planned]
            there = [run_id for run_id in runs if run_id in begun.get(name, ())]
            read = (store.run(name, run_id).read() for run_id in there)
            stored = [run for run in read if run is not None]
            wrong = [run for run in stored if run.is_damaged]
            complete = sum(run.complete for run in stored)
            rows.append((variant.number, len(runs), complete, wrong))
            left = len(runs) - sum(run.complete or run.is_damaged for run in stored)
            if variant.refused:
                refused[variant.number] = f"  {variant.label}: {variant.refused}"
            seconds += variant.estimate.seconds * left
            if runs and (most := variant.estimate.compiling):
                code = _code(variant)  # which a complete run has put into the cache
                compiling[code] = 0.0 if complete else min(compiling.get(code, most), most)
            looked(len(plan.variants))
    rows.sort()  # numbers rise in the order of the plan
    for run in (run for *_, wrong in rows for run in wrong):
        output.note(damaged(store.folder(run.name, run.run_id), run.problem))
    workers = 1 if asked.dask else workers_for(plan, asked.jobs)
    counts, completes = [row[1] for row in rows], [row[2] for row in rows]
    times = seconds / workers, sum(compiling.values()) / workers
    outlook = Outlook(plan, counts, completes, workers, *times, forecast)
    if output.json:
        output.data(outlook.to_dict())
    else:
        output.show(plan_table(outlook))
    if refused:
        lines = first_of([refused[number] for number in sorted(refused)])
        these = plural(len(refused), "setting")
        raise NnrunError("\n".join([f"{these} cannot be trained, and the others can", *lines]))


def _forecast(plan: Plan, store: Store, asked: Request) -> Forecast:
    """What several numbers of seeds would find, by stored runs, and the time they take."""
    variants = [variant for variant in plan.variants if not variant.refused]
    found = powers(variants, store.root)
    if not found:
        raise UsageError(_no_pilot(variants, store.root))
    seconds = []
    for number in SEEDS:
        whole = Plan([replace(variant, seeds=range(number)) for variant in variants])
        seconds.append(whole.seconds / (1 if asked.dask else workers_for(whole, asked.jobs)))
    return Forecast(found, seconds)


def _no_pilot(variants: Sequence[Variant], results: Path) -> str:
    if len(variants) < 2:
        return "--power is about differences of settings, and this sweep has a single one"
    words = click.get_current_context().params["arguments"]
    words = [word for word in words if not word.startswith(("seed=", "sweep.seeds"))]
    splits = max(len(variant.split_seeds) for variant in variants)
    crossed = [f"sweep.seeds={{split: {splits}, weights: {LEAST}}}"] if splits > 1 else []
    command = command_again(
        dry_run=None, power=None, arguments=[*words, *crossed], seeds=None if crossed else LEAST
    )
    return (
        f"--power goes by a pilot: completed runs of two of these settings on the same data, with "
        f"at least {LEAST} seeds in common, and {results} has none; to make it:\n  {command}"
    )


def _code(variant: Variant) -> str:
    """The same for variants of a config that share compiled code."""
    choice = variant.choice.items()
    settings = [(k, v) for k, v in choice if k not in _NOT_IN_CODE or isinstance(v, dict)]
    return repr((variant.file, settings))


# `nnrun sweep`: configs × grid × seeds, in parallel, to one leaderboard.

# The results of a sweep: shown and written, and the errors that the command ends with.

_MOST_FAILURES = 20


@not_collected()
def conclude(
    progress: SweepProgress,
    store: Store,
    output: Output,
    interruption: Interruption,
    asked: Request,
    again: str,
    replicated: Sequence[Replication],
    tracking: Tracking,
) -> None:
    """Show and write the results, and exit with their code."""
    whole = not progress.missing
    board = _board_of(progress, store, asked) if whole else None
    output.data(
        {
            "runs": len(progress.plan),
            **_shard_data(progress.plan),
            "trained": progress.trained,
            "complete_before": progress.found,
            "diverged": progress.diverged,
            "failed": progress.failed,
            "left": progress.missing,
            "failures": [asdict(failure) for failure in progress.failures],
            "leaderboard": board_data(board) if board is not None and output.json else None,
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
            _write_news(board, progress, store, asked)
        except OSError as error:
            place = error.filename or store.root
            reason = error.strerror or error
            errors.append(f"the leaderboard cannot be written: {place}: {reason}")
    else:
        remedy = "to continue, keeping complete runs" if asked.force else "to continue"
        errors.append(f"{remedy}:\n  {again}")
    if interruption.stop() and not whole:
        saved = f", {count(progress.interrupted)} saved half-way" if progress.interrupted else ""
        # Those that it did not get to may be complete already.
        done = f"{count(progress.ended)} of {plural(len(progress.plan), 'run')}{saved}"
        raise interruption.error("\n".join([f"interrupted after {done}", *errors]))
    if errors:
        raise NnrunError("\n".join(errors))


def summary(progress: SweepProgress, seconds: float) -> str:
    """How many runs were trained, were complete, failed and are left."""
    parts = [f"{count(progress.trained)} trained in {duration(seconds)}"]
    if progress.found:
        parts.append(f"{count(progress.found)} complete already")
    parts += incomplete(progress)
    if progress.missing:
        most = "up to " if progress.reached < len(progress.plan) else ""
        parts.append(f"{most}{count(progress.missing)} left")
    return f"{_runs_of(progress.plan)}: {', '.join(parts)}"


def _runs_of(plan: Plan) -> str:
    """`12 runs`, or `shard 2/3, 4 of 12 runs`."""
    if plan.shard == WHOLE:
        return plural(len(plan), "run")
    return f"shard {plan.shard}, {count(len(plan))} of {plural(len(plan.whole), 'run')}"


def _failures(progress: SweepProgress, store: Store) -> str:
    number = len(progress.failures)
    lines = [f"of {plural(len(progress.plan), 'run')}, {' and '.join(incomplete(progress))}"]
    lines += [_failure(failure, store) for failure in progress.failures[:_MOST_FAILURES]]
    if number > _MOST_FAILURES:
        lines.append(f"  and {count(number - _MOST_FAILURES)} more")
    return "\n".join(lines)


def _failure(failure: Failure, store: Store) -> str:
    report = store.root / failure.key / "report.md"
    # Its folder may not be one to enter; and if the end could not be saved, an older report may
    # be in it.
    stored = read_run(report.parent) if os.access(report, os.R_OK) else None
    saved = stored is not None and stored.record is not None and stored.record.error is not None
    return f"  {failure.label}: {report if saved else failure.reason}"


def _board_of(progress: SweepProgress, store: Store, asked: Request) -> Leaderboard:
    """The board of a sweep; after a shard, with the stored runs of the others.

    Once the runs of all shards are there, it is that of the sweep without --shard.
    """
    command = command_again(force=None, shard=None)
    if progress.plan.shard == WHOLE:
        whole = progress
        board = make_leaderboard(progress, command)
    else:
        whole = gathered(progress, store)
        board = gathered_leaderboard(whole, progress.plan.shard, command)
    return with_margin(of_plan(board, asked.planned, whole.by_variant()), asked.margin)


def _shard_data(plan: Plan) -> dict[str, Any]:
    """What JSON says of a shard; nothing of a whole sweep."""
    if plan.shard == WHOLE:
        return {}
    return {"shard": str(plan.shard), "runs_of_all_shards": len(plan.whole)}


def _write_news(board: Leaderboard, progress: SweepProgress, store: Store, asked: Request) -> None:
    """Write the board again while other shards have ended since it was made.

    So the last of several shards that end at the same time writes the board of all of them, also
    where locks do not reach other machines.

    Raises:
        OSError: it cannot be written.
    """
    while board.unfinished is not None:
        later = _board_of(progress, store, asked)
        if later.unfinished is not None and later.unfinished.missing == board.unfinished.missing:
            return
        store.write(leaderboard_files(later))
        board = later


def _asked_plan(
    arguments: Sequence[str], asked: Request, datasets: Datasets, output: Output
) -> tuple[Plan, Request]:
    """The plan of the arguments, or that of --plan with the margin that it has."""
    if asked.plan_file is None:
        if not arguments:
            raise click.UsageError("Missing argument 'PATH... [KEY=VALUE]...', or --plan.")
        return asked.plan(arguments, datasets, output)[0], asked
    if arguments:
        raise UsageError(
            f"argument '{arguments[0]}': --plan says what is trained and compared; leave out all "
            "configs and overrides, or make another plan with them"
        )
    frozen, planned = read_frozen(asked.plan_file)
    checks = partial(shown, Checks(), output)
    plan = frozen.thaw(asked.plan_file, datasets, asked.max_runs, checks)
    output.notes(plan.notes)
    return plan, replace(asked, margin=frozen.margin, planned=planned)


@click.command("sweep")
@options.paths_argument("[PATH]... [KEY=VALUE]...", required=False)
@compared_options
@options.train_jobs_option
@options.dask_option
@options.shard_option
@options.flag("--dry-run", "Show the plan, and train nothing.")
@options.flag(
    "--power",
    "With --dry-run: the differences that 5, 10, 20 and 40 seeds would find in four of five "
    "sweeps, by stored runs of the same settings.",
)
@options.path(
    "--plan plan_file",
    "Train what this file of nnrun plan says, and nothing else; the board says so.",
)
@options.flag("--fail-fast", "Stop at the first run that fails.")
@options.flag(
    "--replication", f"Write {REPLICATION} in the results folder: published numbers beside ours."
)
@options.path(
    "--reference", "With --replication: a CSV of means of repeated runs to hold ours against.",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)  # fmt: skip
@options.results_option
@options.iterations_option
@options.threads_option
@options.force_option
@options.training_options
@options.wide_option
@options.output_options
def command(
    output: Output, /, arguments: tuple[str, ...], dry_run: bool, power: bool, **request: object
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
    nnrun sweep configs/iris_softmax.yaml training.learning_rate=0.1,0.01 --dry-run --power
    nnrun sweep configs/iris_softmax.yaml --seeds 20 --beside linear,forest
    nnrun sweep --plan plan.json
    """
    asked = Request(**request)  # type: ignore[arg-type]
    asked.check()
    if power and not dry_run:
        raise UsageError("--power is about a sweep that is not trained yet; add --dry-run")
    references = read_references(asked.reference) if asked.reference else {}
    with Interruption() as interruption:
        datasets = Datasets()
        plan, asked = _asked_plan(arguments, asked, datasets, output)
        plan = replace(plan, shard=asked.shard)
        store = Store(asked.results, report_markdown, RunIndex(asked.results))
        for name in plan.names:
            store.folder(name, "")  # refuses a link that leads elsewhere
        if dry_run:
            show_plan(plan, store, output, asked, power=power)
            return
        again = command_again(force=None)  # it resumes the sweep
        part = "" if plan.shard == WHOLE else f"shard {plan.shard}, "
        start = monotonic()
        with asked.trackers.open(output.error, asked.results, "sweep") as tracking:
            training = asked.training(store, datasets, tracking, interruption)
            work = shown(Runs(len(plan), part), output)
            with saying_how_to_go_on(again, interruption):
                progress = training.run(plan, work, force=asked.force, fail_fast=asked.fail_fast)
            output.note(summary(progress, monotonic() - start))
            replicated = replications(progress, references) if asked.replication else []
            conclude(progress, store, output, interruption, asked, again, replicated, tracking)
