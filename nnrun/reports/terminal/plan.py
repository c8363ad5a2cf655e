"""The plan of a sweep as a terminal table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import eq
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from nnrun.config.settings import choice_words
from nnrun.reports.numbers import count, duration, durations, plural
from nnrun.reports.terminal.boards import MOST_ROWS
from nnrun.reports.terminal.fitting import Column, FittedTable
from nnrun.sweeps.planning.plan import WHOLE, Plan, Variant


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

    @property
    def left(self) -> int:
        """The number of runs left to train."""
        return len(self.plan) - sum(self.complete)

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "runs": len(self.plan),
            **({} if self.plan.shard == WHOLE else {"shard": str(self.plan.shard)}),
            "complete": sum(self.complete),
            "workers": self.workers,
            "estimated_seconds": self.seconds,
            "estimated_seconds_of_compiling": self.compiling,
            "points": [_variant(*each) for each in self.rows()],
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
    known = f", {count(done)} of them complete already" if done else ""
    at_a_time = f", {outlook.workers} at a time" if outlook.workers > 1 else ""
    left = f"; about {duration(outlook.seconds)} for {count(outlook.left)}{at_a_time}"
    if outlook.compiling:
        left += f", and up to {duration(outlook.compiling)} of compiling"
    part = "" if outlook.plan.shard == WHOLE else f"Shard {outlook.plan.shard}: "
    text = f"{part}{count(len(outlook.plan))} {runs}{known}{left if outlook.left else ''}"
    below = len(outlook.runs) - len(rows)
    cut = [Text(f"and {plural(below, 'row')} below; --json has all")] if below else []
    return Group(table, *cut, Text(), Text(f"{text}. Nothing was written."))


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
