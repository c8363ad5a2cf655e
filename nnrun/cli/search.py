"""`nnrun search`: the best setting for a budget, and what the command shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import monotonic

import click

from nnrun.cli import options
from nnrun.cli.group import Interruption
from nnrun.cli.options import check_target, command_again, split_arguments
from nnrun.cli.output import Output
from nnrun.cli.train_many import TrainingRequest, saying_how_to_go_on
from nnrun.config.names import is_name
from nnrun.config.schema.search import PRUNINGS, SAMPLERS
from nnrun.errors import NnrunError, UsageError
from nnrun.reports.leaderboard_files import leaderboard_files
from nnrun.reports.numbers import count, plural
from nnrun.reports.run import report_markdown
from nnrun.reports.terminal.sweeps import search_tables
from nnrun.reports.trials import ShownSearch, trial_counts
from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.storage.store import Store
from nnrun.runs.storage.sweep_progress import names_in
from nnrun.search.plan import origin_of, plan_search, stored_search
from nnrun.search.proposer import export_study
from nnrun.search.search import Search
from nnrun.search.state import SearchState, best_trials
from nnrun.suggestions import suggestion
from nnrun.sweeps.board.best import DAMAGE, FILE, is_searched, misformed, read_search
from nnrun.sweeps.planning.variants import Datasets

# The results of a search: shown, and the errors that the command ends with.


def conclude(
    search: Search, store: Store, output: Output, interruption: Interruption, again: str
) -> None:
    """Show the results, and exit with their code."""
    state = search.state
    content = state.to_dict()
    output.data(content)
    if state.trials:
        output.show(search_tables(content, state, store.root))
    if state.final is not None and state.board is not None:
        output.notes(_left_out(*state.final, state))
    written = [store.root / state.plan.name / FILE]
    if state.board is not None:
        files = leaderboard_files(state.board)
        store.write(files)
        written += [store.root / name for name in files]
    output.note(f"wrote {', '.join(map(str, written))}")
    if state.ended and state.winner is None:
        raise NnrunError("no run of the final comparison has completed, so nothing is chosen")
    if state.ended:
        return
    stage = "final comparison" if state.board is None else "test of the winner"
    if interruption.stop():
        message = f"interrupted in the {stage}"
        if state.final is None:
            message = f"interrupted: {trial_counts(search)} have ended"
        raise interruption.error(f"{message}\nto continue:\n  {again}")
    if state.plan.block.time is not None:
        short = f"there was no time for the {stage}"
        if state.best is None:
            short = "no trial has completed: there was no time for one"
        more = command_again(time=_longer(state))
        raise NnrunError(f"{short}; what was finished is saved; to continue:\n  {more}")
    raise NnrunError(f"runs are missing; to continue:\n  {again}")


def _left_out(top: int, seeds: int, state: SearchState) -> list[str]:
    """What of the final comparison there was no time for."""
    block = state.plan.block
    most = len(best_trials(state.trials, state.plan.goal, block.top))
    if block.time is None or (top >= most and seeds >= block.fresh_seeds):
        return []
    return [
        f"there was time to compare {count(min(top, most))} of the best {plural(most, 'setting')} "
        f"on {count(seeds)} of {plural(block.fresh_seeds, 'seed')}; more --time compares more"
    ]


def _longer(state: SearchState) -> str:
    """Twice the time; if it was too short for a trial, at least what four of them take."""
    seconds = 2 * (state.plan.block.time or 0.0)
    made = max((trial.share for trial in state.trials if trial.status == "stopped"), default=0.0)
    if state.best is None and made:
        seconds = max(seconds, 4 * state.seconds / made)
    return f"{ceil(seconds)}s" if seconds <= 120 else f"{ceil(seconds / 60)}m"


# `nnrun search`: the best setting for a budget.


@dataclass(frozen=True)
class Request(TrainingRequest):
    """The options of the command that say how to train."""

    asynchronous: bool
    target: str | None
    export: Path | None


@click.command("search")
@options.paths_argument("CONFIG|DATA [KEY=VALUE]...")
@click.option("--trials", metavar="N", help="How many settings to try; by default 50.")
@click.option("--time", metavar="T", help="How long it may take in all: 90s, 10m, 2h.")
@click.option("--sampler", type=click.Choice(SAMPLERS), help="How settings are proposed.")
@click.option("--seeds", metavar="K", help="Judge each trial on K seeds, and so on K splits.")
@click.option("--pruning", type=click.Choice(PRUNINGS), help="How bad trials end early.")
@click.option(
    "--random/--no-random",
    default=None,
    help="Make a random search of the same budget too, to see what the sampler gains; by default "
    "unless --time is given, which it halves.",
)
@options.flag(
    "--asynchronous",
    "Propose by the trials that have ended: no worker waits, but their speed decides.",
)
@click.option("--target", metavar="COLUMN", help="Of a data file: the column to predict.")
@options.train_jobs_option
@options.dask_option
@options.path(
    "--export",
    "Write the trials as a database of Optuna, for optuna-dashboard. With the NAME of an "
    "experiment in place of a config, nothing is trained.",
)
@options.results_option
@options.iterations_option
@options.threads_option
@options.training_options
@options.wide_option
@options.output_options
def command(
    output: Output,
    /,
    arguments: tuple[str, ...],
    trials: str | None,
    time: str | None,
    sampler: str | None,
    seeds: str | None,
    pruning: str | None,
    random: bool | None,
    **request: object,
) -> None:
    """Find the best setting for a budget, and test it once.

    The config's `search` block says which keys vary, and among what. Trials are judged by a
    validation split, or by folds; the best are compared on fresh seeds, with the config's own
    settings beside, and the test split is evaluated for the first of these alone, which
    NAME/best is then. The same command continues a search that was interrupted, with the same
    trials for any number of workers. A data file in place of a config takes the config that
    `nnrun init` would write, with a space that suits most tables; with --time, it tries other
    readings of its columns for a tenth of that at most, as `init --try` does.

    \b
    nnrun search digits.yaml --trials 50 -j 4
    nnrun search digits.yaml --time 10m --pruning halving
    nnrun search houses.csv --target price --time 5m
    """
    started = monotonic()
    asked = Request(**request)  # type: ignore[arg-type]
    asked.check()
    settings = {"trials": trials, "time": time, "sampler": sampler, "seeds": seeds}
    settings |= {"pruning": pruning, "random": None if random is None else str(random).lower()}
    keys = [f"search.{key}={value}" for key, value in settings.items() if value is not None]
    check_target(asked.export, option="--export")
    if asked.export is not None and asked.export.exists():
        raise UsageError(f"--export {asked.export}: this file exists; name another one")
    paths, words = split_arguments(arguments)
    if len(paths) != 1:
        raise UsageError("a search is of one config, or one data file")
    word = str(paths[0])
    if is_name(word) and not paths[0].suffix and not paths[0].exists():
        _need_search(word, asked.results)
        if asked.export is None:
            raise UsageError(f"{word} is searched already; to export its trials, add --export FILE")
        _export(word, asked.results, asked.export, output)
        return
    with (
        Interruption() as interruption,
        asked.trackers.open(output.error, asked.results, "search") as tracking,
    ):
        datasets = Datasets()
        given, options = [*words, *keys], {"asynchronous": asked.asynchronous}
        origin, tried = origin_of(paths[0], asked.target, given, asked.results, output.note)
        plan = plan_search(origin, given, datasets, asked.iterations, tried, **options)
        output.notes(plan.notes)
        if plan.settings.judging.note:
            output.note(plan.settings.judging.note)
        store = Store(asked.results, report_markdown, RunIndex(asked.results))
        store.folder(plan.name, "")  # refuses a link that leads elsewhere
        before = stored_search(plan, asked.results, output.note)
        again = command_again()
        training = asked.training(store, datasets, tracking, interruption)
        command = command_again(export=None)
        search = ShownSearch(
            plan, training, output, before=before, command=command, started=started
        ).search
        with saying_how_to_go_on(again, interruption):
            search.run()
        conclude(search, store, output, interruption, again)
    if asked.export is not None:
        _export(plan.name, asked.results, asked.export, output)


def _need_search(name: str, results: Path) -> None:
    """Raise a UsageError unless an experiment of this name was searched."""
    if not is_searched(results, name):
        searched = [other for other in names_in(results) if (results / other / FILE).exists()]
        message = f"there is no file {name}, and no search in {results} is called so"
        raise UsageError(f"{message}{suggestion(name, searched)}")


def _export(name: str, results: Path, file: Path, output: Output) -> None:
    content = read_search(results, name)
    assert content is not None, "it was searched"
    try:
        export_study(content, results / name, file)
    except DAMAGE:
        raise misformed(results / name / FILE) from None
    output.note(f"wrote {file}")
