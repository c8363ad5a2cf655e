"""`nnrun sweep`: configs × grid × seeds, in parallel, to one leaderboard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import monotonic

import click

from nnrun.cli import completion, options
from nnrun.cli.arguments import command_again, split_arguments
from nnrun.cli.output import Output
from nnrun.cli.signals import Interruption
from nnrun.cli.sweeping.dry_run import show_plan
from nnrun.cli.sweeping.request import Request
from nnrun.cli.sweeping.results import conclude, summary
from nnrun.cli.training import Training, saying_how_to_go_on
from nnrun.config.files import config_files
from nnrun.config.names import BESIDE, REPLICATION
from nnrun.config.several import MAX_RANGE
from nnrun.reports.live.runs import Runs
from nnrun.reports.live.work import Checks
from nnrun.reports.run import report_markdown
from nnrun.reports.shown import shown
from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.storage.store import Store
from nnrun.sweeps.board.published import read_references, replications
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.grid import models_of
from nnrun.sweeps.planning.shard import WHOLE
from nnrun.sweeps.planning.validate import make_plan

MOST_RUNS = 100_000


@click.command("sweep")
@click.argument(
    "arguments",
    nargs=-1,
    required=True,
    shell_complete=completion.files,
    metavar="PATH... [KEY=VALUE]...",
)
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
@options.train_jobs_option
@options.dask_option
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
@options.training_options
@options.wide_option
@options.output_options
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
    asked = Request(**request)  # type: ignore[arg-type]
    asked.check()
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
            progress=lambda: shown(Checks(), output),
        )
        output.notes(plan.notes)
        plan = replace(plan, shard=asked.shard)
        store = Store(asked.results, report_markdown, RunIndex(asked.results))
        for name in plan.names:
            store.folder(name, "")  # refuses a link that leads elsewhere
        if dry_run:
            show_plan(plan, store, output, asked)
            return
        again = command_again(force=None)  # it resumes the sweep
        part = "" if plan.shard == WHOLE else f"shard {plan.shard}, "
        start = monotonic()
        with asked.trackers.open(output.error, asked.results, "sweep") as tracking:
            training = Training(asked, store, datasets, output, interruption, tracking)
            work = shown(Runs(len(plan), part), output)
            with saying_how_to_go_on(again, interruption):
                progress = training.run(plan, work, force=asked.force, fail_fast=asked.fail_fast)
            output.note(summary(progress, monotonic() - start))
            found = replications(progress, references) if asked.replication else []
            conclude(progress, store, output, interruption, asked, again, found, tracking)
