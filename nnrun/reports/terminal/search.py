"""A search as terminal tables: its budget, the final comparison, the winner and its test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.console import group as grouped
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.settings import choice_words, short_key
from nnrun.reports.commands import command_line
from nnrun.reports.numbers import count, duration, measured, number, plural
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.boards import leaderboard_tables
from nnrun.search.state import SearchState
from nnrun.search.trials import Trial
from nnrun.sweeps.board.rows import Leaderboard

_MOST_PARAMETERS = 5
_WORDS = {"pruned": "ended early", "stopped": "out of time", "running": "in progress"}


@grouped()
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
        if found := sum(trial["status"] == status for trial in trials):
            words = _WORDS.get(status, status)
            parts.append(f"{count(found)} {words}")
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
