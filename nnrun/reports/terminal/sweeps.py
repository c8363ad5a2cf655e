"""Plans of sweeps, searches and leaderboards as terminal tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from operator import eq
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.settings import choice_words, short_key
from nnrun.metrics.table import span_of
from nnrun.reports.boards import board_document
from nnrun.reports.commands import command_line
from nnrun.reports.comparison import differences, letter, tested
from nnrun.reports.document import AT_ONCE, up_to
from nnrun.reports.numbers import count, duration, durations, measured, number, plural, spread
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.fitting import (
    MOST_NAMED,
    Column,
    FittedTable,
    blocks,
    sections,
    verdict_text,
)
from nnrun.runs.catalog.compare import Comparison
from nnrun.search.state import SearchState
from nnrun.search.trials import Trial
from nnrun.sweeps.board.power import Power
from nnrun.sweeps.board.rows import Leaderboard
from nnrun.sweeps.board.verdicts import PairTest
from nnrun.sweeps.planning.plan import WHOLE, Plan, Variant

# Leaderboards in a terminal, and runs compared.

MOST_ROWS = 100


@group()
def leaderboard_tables(
    board: Leaderboard,
    root: Path | None = None,
    more: str = "--wide or leaderboard.csv",
    most: int | None = MOST_ROWS,
) -> Iterator[RenderableType]:
    """A table for each data set, and how to read it.

    `root` is the results folder of its runs, `more` shows columns that do not fit, and this many of
    the first rows of each data set are shown at `most`.
    """
    shown = board_document(board, root, most, _all_rows(board, root), more)
    if shown.about:
        yield Text(shown.about)
        yield Text()
    if shown.verdict is not None:
        yield verdict_text(shown.verdict)
    yield sections(up_to(AT_ONCE, shown.sections), first=True)


def _all_rows(board: Leaderboard, root: Path | None) -> str:
    if root is None or not board.key:
        return "--json has all"
    options = {"--leaderboard": True, "--all": True}
    return f"{command_line('ls', [board.key], root, options)} shows all"


@group()
def comparison_tables(
    comparison: Comparison,
    board: Leaderboard | None,
    root: Path | None,
    test: PairTest | None = None,
) -> Iterator[RenderableType]:
    """The runs, their differing settings and results, and the leaderboard of their configs.

    Args:
        comparison: of the runs.
        board: of their configs over all stored seeds; None to show none.
        root: the results folder of all runs; None if they are in several.
        test: of two configs over their seeds; None for more, or too few seeds.
    """
    shown = [table for section in differences(comparison) for table in blocks(section.blocks)]
    yield _Runs(comparison, [table for table in shown if isinstance(table, FittedTable)])
    for table in shown:
        yield Text()
        yield table
    if board is not None:
        yield Text()
        yield Text("Over all seeds that are stored", "bold")
        yield Text()
        yield leaderboard_tables(board, root, more="--wide or --json")
    if test is not None:
        yield sections(iter([tested(test)]), first=True)


class _Runs:
    """A line for each run whose letter stands in the tables below it."""

    def __init__(self, comparison: Comparison, tables: Sequence[FittedTable]) -> None:
        self._runs = [*zip(comparison.labels, comparison.statuses, strict=True)]
        self._tables = tables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = (len(table.fitting(options.max_width)) for table in self._tables)
        most = max(columns, default=1) - 1 + MOST_NAMED
        for index, (label, status) in enumerate(self._runs[:most]):
            ended = "" if status == "completed" else f"  {status}"
            yield Text.assemble((letter(index), "bold"), f"  {label}", (ended, "bold red"))
        if left := len(self._runs[most:]):
            yield Text(f"and {count(left)} more (--json shows all)", "dim")


# The plan of a sweep as a terminal table.


@dataclass(frozen=True)
class Forecast:
    """The power of a sweep on each data set, and the time of the whole sweep by number of seeds."""

    powers: Sequence[Power]
    seconds: Sequence[float]

    def to_dict(self) -> list[dict[str, Any]]:
        """The forecast as JSON data."""
        found = []
        for power in self.powers:
            rows = zip(power.smallest, self.seconds, strict=True)
            seeds = [{**asdict(row), "estimated_seconds": seconds} for row, seconds in rows]
            found.append({**asdict(power), "smallest": seeds})
        return found

    def tables(self) -> Iterator[RenderableType]:
        """A table for each data set, with what its numbers stand on."""
        for power in self.powers:
            label = f"{power.ordered_by} {metric_label(power.metric)}"
            least = [_reach(row.difference, power.metric) for row in power.smallest]
            ends = [f"{spread(row.low)} – {spread(row.high)}" for row in power.smallest]
            yield Text()
            yield Text(clean(f"{power.dataset}: differences in {label} found in 4 of 5 sweeps"))
            yield FittedTable([
                Column("seeds", [count(row.seeds) for row in power.smallest]),
                Column("difference", least),
                Column("95% interval", ends, left=True),
                Column("about", durations(self.seconds)),
            ])  # fmt: skip
            pilot = f"{count(power.pilot)} of {plural(power.settings, 'setting')}"
            yield Text(
                f"By stored runs of {pilot} with {count(power.pilot_seeds)} seeds, and the test of "
                f"a board of {count(power.settings)} rows, for sweeps with other seeds of the same "
                "data. The interval is what so few runs say of the spread; differences need not be "
                "about normal."
            )


def _reach(difference: float, metric: str) -> str:
    """The difference, or that there can be none as large."""
    return spread(difference) if difference <= span_of(metric) else f"over {span_of(metric):g}"


@dataclass(frozen=True)
class Outlook:
    """A plan and how much of it is complete.

    `runs` and `complete` are how many runs of each variant there are to train, and are complete
    already; `workers` are trained at a time, and the remaining ones take this many `seconds`, and
    at most `compiling` besides, if the cache has none of their code.
    """

    plan: Plan
    runs: Sequence[int]
    complete: Sequence[int]
    workers: int
    seconds: float
    compiling: float
    forecast: Forecast | None = None

    @property
    def left(self) -> int:
        """The number of runs left to train."""
        return len(self.plan) - sum(self.complete)

    def to_dict(self) -> dict[str, Any]:
        """The outlook as JSON data."""
        return {
            "runs": len(self.plan),
            **({} if self.plan.shard == WHOLE else {"shard": str(self.plan.shard)}),
            "complete": sum(self.complete),
            "workers": self.workers,
            "estimated_seconds": self.seconds,
            "estimated_seconds_of_compiling": self.compiling,
            "points": [_variant(*each) for each in self.rows()],
            **({} if self.forecast is None else {"power": self.forecast.to_dict()}),
        }

    def rows(self) -> Iterator[tuple[Variant, int, int]]:
        """Each variant with how many of its runs there are to train, and are complete."""
        return zip(self.plan.variants, self.runs, self.complete, strict=True)


def _variant(variant: Variant, runs: int, complete: int) -> dict[str, Any]:
    return {
        "name": variant.name,
        "file": variant.file,
        "choice": variant.choice,
        "dataset": variant.dataset,
        "seeds": list(variant.seeds),
        "split_seeds": [seed for seed in variant.split_seeds if seed is not None],
        "folds": [fold for fold in variant.identities if fold is not None],
        "runs": runs,
        "complete": complete,
        "iterations": variant.estimate.iterations,
        "parameters": variant.estimate.parameters,
        "estimated_seconds_per_run": variant.estimate.seconds,
        **({"refused": variant.refused} if variant.refused else {}),
    }


def plan_table(outlook: Outlook) -> RenderableType:
    """A row for each config and grid point, of many the first ones, and the totals."""
    rows = list(islice(outlook.rows(), MOST_ROWS))
    names = [" ".join([v.name, *choice_words(v.choice)]) for v, _, _ in rows]
    table = FittedTable([
        Column("config", names, left=True, wraps=True),
        Column("data", [v.dataset for v, _, _ in rows], need=4, left=True),
        Column("seeds", [_runs(v) for v, _, _ in rows], need=3, left=True, wraps=True),
        Column("runs", [_of(runs, v.planned) for v, runs, _ in rows]),
        Column("complete", [count(complete) for _, _, complete in rows], need=5),
        Column("iterations", [count(v.estimate.iterations) for v, _, _ in rows], need=2),
        Column("about", durations([v.estimate.seconds * (n - c) for v, n, c in rows]), need=1),
    ])  # fmt: skip
    runs = "run" if len(outlook.plan) == 1 else "runs"
    done = sum(outlook.complete)
    complete_words = f", {count(done)} of them complete already" if done else ""
    at_a_time = f", {outlook.workers} at a time" if outlook.workers > 1 else ""
    left = f"; about {duration(outlook.seconds)} for {count(outlook.left)}{at_a_time}"
    if outlook.compiling:
        left += f", and up to {duration(outlook.compiling)} of compiling"
    part = "" if outlook.plan.shard == WHOLE else f"Shard {outlook.plan.shard}: "
    text = f"{part}{count(len(outlook.plan))} {runs}{complete_words}{left if outlook.left else ''}"
    below = len(outlook.runs) - len(rows)
    cut = [Text(f"and {plural(below, 'row')} below; --json has all")] if below else []
    power = [] if outlook.forecast is None else outlook.forecast.tables()
    return Group(table, *cut, Text(), Text(f"{text}. Nothing was written."), *power)


def _of(runs: int, planned: int) -> str:
    """`20`, or in a shard `7 of 20`."""
    return count(runs) if runs == planned else f"{count(runs)} of {count(planned)}"


def _runs(variant: Variant) -> str:
    """`42–44`, `42–44 × split 42–46`, `42–44 × fold 1–10`."""
    splits = [seed for seed in variant.split_seeds if seed is not None]
    folds = [fold for fold in variant.identities if fold is not None]
    parts = [seeds(variant.seeds)]
    parts += [f"{name} {seeds(of)}" for name, of in (("split", splits), ("fold", folds)) if of]
    return " × ".join(parts)


def seeds(values: Sequence[int]) -> str:
    """`42`, `0–19`, or `1, 5, 9`."""
    run = range(values[0], values[0] + len(values))
    if len(values) > 1 and all(map(eq, values, run)):
        return f"{values[0]}–{values[-1]}"
    shown = ", ".join(map(str, values[:4]))
    return f"{shown}, …" if len(values) > 4 else shown


# A search as terminal tables: its budget, the final comparison, the winner and its test.

_MOST_PARAMETERS = 5
_WORDS = {"pruned": "ended early", "stopped": "out of time", "running": "in progress"}


@group()
def search_tables(
    content: Mapping[str, Any], state: SearchState, root: Path
) -> Iterator[RenderableType]:
    """What a search has come to, by the content of search.json and the same as values."""
    yield Text(clean(budget_words(content)))
    if why := failure_words(content["trials"]):
        yield Text(clean(why))
    if state.group is None:
        if (best := state.best) is not None:
            value = f"{metric_label(content['metric'])} {number(best.value)}"
            words = f"trial {best.number}, {value}: {choice_line(best.choice)}"
            yield Text(clean(f"best so far: {words}"))
        return
    seeds = len(state.finalists[0].setting.variant.seeds)
    yield Text()
    yield Text(f"final comparison on {plural(seeds, 'fresh seed')}:")
    yield Text()
    yield leaderboard_tables(Leaderboard("", [state.group]), more="--wide")
    for line in winner_lines(content):
        yield Text(clean(line))
    yield Text()
    name = content["name"]
    command = command_line("best", [name], root, {"-o": "best.yaml"})
    yield Text(f"{name}/best is the winner; its config: {command}", no_wrap=True, overflow="ignore")


def budget_words(content: Mapping[str, Any]) -> str:
    """How many trials there were, how they ended, and what pruning has saved."""
    trials, saved = content["trials"], content["saved"]
    parts = [f"{plural(len(trials), 'trial')} in {duration(content['seconds'])}"]
    for status in ("pruned", "stopped", "diverged", "failed", "running"):
        if number_of := sum(trial["status"] == status for trial in trials):
            words = _WORDS.get(status, status)
            parts.append(f"{count(number_of)} {words}")
    if same := sum(trial["same_as"] is not None for trial in trials):
        parts.append(f"{count(same)} like earlier ones")
    if saved["pruned"]:
        made = f"{saved['full_trials']:.1f} full trials' worth were made"
        parts.append(f"{saved['share']:.0%} of the updates saved, {made}")
    if content["random"]:
        parts.append(f"{plural(len(content['random']), 'random one')} beside")
    return f"{content['name']}: {', '.join(parts)}"


def failure_words(trials: Sequence[Mapping[str, Any]]) -> str:
    """Why trials failed, such as settings that do not go together; empty if none did."""
    failed = [trial for trial in trials if trial["status"] == "failed"]
    if not failed:
        return ""
    more = f"; search.json has all {count(len(failed))} reasons" if len(failed) > 1 else ""
    return f"trial {failed[0]['number']} failed: {failed[0]['reason']}{more}"


def winner_lines(content: Mapping[str, Any]) -> Iterator[str]:
    """The winner, its test result, and what counts, a line for each."""
    winner, test = content["winner"], content["test"]
    if winner is None:
        return
    yield f"winner: {origin_words(winner)}"
    metric = metric_label(content["metric"])
    if test is not None:
        half = None if test["ci_low"] is None else test["mean"] - test["ci_low"]
        figure = measured(test["mean"], half)
        yield f"test {metric} {figure}, evaluated once, for the winner alone"
    elif content["judged_by"] == "test":
        yield "chosen by folds; no rows were set aside for a test"
    else:
        yield "no rows were set aside for a test"
    if importance := content["importance"]:
        ranked = sorted(importance.items(), key=lambda item: -item[1])[:_MOST_PARAMETERS]
        shown = ", ".join(f"{short_key(name, importance)} {share:.0%}" for name, share in ranked)
        yield f"what explains the spread of trials: {shown}"


def origin_words(finalist: Mapping[str, Any]) -> str:
    """Which setting of the final comparison this is."""
    if finalist["origin"] == "default":
        return "the config's own settings, which no trial beats"
    if finalist["origin"] == "ensemble":
        return f"an ensemble: {choice_line(finalist['choice'])}"
    what = "trial" if finalist["origin"] == "search" else "random trial"
    return f"{what} {finalist['number']}: {choice_line(finalist['choice'])}"


def choice_line(choice: Mapping[str, Any]) -> str:
    """A choice on one line."""
    return " ".join(choice_words(choice))


def ending_words(trial: Trial, metric: str) -> str:
    """How a trial ended."""
    metric = metric_label(metric)
    if trial.status == "completed":
        same = "" if trial.same_as is None else f" (the settings of trial {trial.same_as})"
        return f"{metric} {number(trial.value)}{same}"
    if trial.status == "pruned":
        return f"ended early after {trial.share:.0%}, {metric} {number(trial.curve[-1])}"
    if trial.status == "stopped":
        return f"out of time after {trial.share:.0%}"
    return f"{trial.status}: {trial.reason}" if trial.reason else trial.status
