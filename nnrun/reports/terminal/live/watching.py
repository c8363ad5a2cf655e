"""The runs in progress as lines with bars, and the board that forms from those that have ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest
from math import inf, sqrt
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.names import SPLITS
from nnrun.config.setting_words import choice_words
from nnrun.config.settings import choice_of, parts_apart, telling_first
from nnrun.reports.numbers import MISSING, count, measured, number, plural, remaining
from nnrun.reports.progress_words import names_of, share_words, sweep_line, telling
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.summary import QUEUED, RunSummary
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.sweeps.board.comparison.statistics import half_interval
from nnrun.sweeps.planning.comparable import Comparable

_BAR = 10
# Narrower terminals have no bars, or no rates.
_WIDE, _WIDEST = 60, 100
_MOST_LINES = 12
_MOST_SWEEPS = 4
HINT = "q or Ctrl-C ends this view; the runs go on"


class View:
    """What is drawn at one moment: runs and sweeps in progress, and the rows of the board.

    `keys` are the settings in which runs of each experiment differ; `ended` have done so since the
    view began, and the `hint` says how to end it, if it goes on. `problems` say which searches
    cannot be used.
    """

    def __init__(
        self,
        runs: Sequence[RunSummary],
        keys: Mapping[str, Sequence[str]],
        rows: FormingRows,
        ended: int,
        hint: str = "",
        sweeps: Sequence[SweepCounts] = (),
        chosen: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        self.runs = runs
        self.keys = keys
        self.rows = rows
        self.ended = ended
        self.hint = hint
        self.sweeps = sweeps
        self.chosen = chosen or {}
        self.problems = problems

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        running = telling(self.runs, self.sweeps)
        shown = running[: max(1, min(_MOST_LINES, options.size.height // 2))]
        yield Text(self._counts(running), "bold")
        for sweep in self.sweeps[:_MOST_SWEEPS]:
            yield Text(clean(sweep_line(sweep)), no_wrap=True, overflow="ellipsis")
        if shown:
            yield self._table(shown, options.max_width)
        if len(shown) < len(running):
            yield Text(f"… {count(len(running) - len(shown))} more", "dim")
        height = options.size.height - len(shown) - len(self.sweeps[:_MOST_SWEEPS]) - 5
        board = self.rows.table(
            height if options.is_terminal else len(self.rows), options.max_width
        )
        if len(self.rows):
            yield Text()
            yield board
        for problem in self.problems:
            yield Text(clean(problem), "yellow")
        if self.hint:
            yield Text(self.hint, "dim")

    def _counts(self, shown: Sequence[RunSummary]) -> str:
        of_sweeps = names_of(self.sweeps)
        counted = sum(sweep.running for sweep in self.sweeps)
        alone = sum(run.name not in of_sweeps for run in shown)
        running = alone + max(counted, len(shown) - alone)
        queued = sum(run.status == QUEUED for run in self.runs)
        parts = [f"{count(running)} running"]
        # Later ones have no folder yet; the lines of sweeps count them all.
        parts += [f"next {count(queued)} queued"] * (queued > 0 and not self.sweeps)
        parts += [f"{plural(self.ended, 'run')} ended since"] * bool(self.ended)
        known = self.runs or self.ended or self.sweeps
        return ", ".join(parts) if known else "no run is in progress"

    def _table(self, runs: Sequence[RunSummary], width: int) -> RenderableType:
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        figures = [[*_figures(run, rate=width >= _WIDEST)] for run in runs]
        bars = [_BAR] if width >= _WIDE else []
        for _ in range(len(bars) + len(figures[0])):
            table.add_column(no_wrap=True)
        for run, found in zip(runs, figures, strict=True):
            share = (run.progress.share if run.progress else None) or 0.0
            drawn = [ProgressBar(total=1.0, completed=share, width=bar) for bar in bars]
            table.add_row(Text(self.label(run)), *drawn, *map(Text, found))
        return table

    def label(self, run: RunSummary) -> str:
        """The name where there are several, seed and fold, and the settings that differ."""
        words = choice_words(self._choices[run.name, run.run_id])
        several = len({run.name for run in self.runs}) > 1 or not words
        fold = [] if run.fold is None else [f"fold={run.fold}"]
        seed = run.run_id.partition("-")[0]
        return clean(" ".join([*([run.name] if several else []), seed, *fold, *words]))

    @cached_property
    def _choices(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """By name and id, what tells each run from the others of its name."""
        by_name: dict[str, dict[tuple[str, str], Mapping[str, Any]]] = {}
        for run in self.runs:
            keys = self.keys.get(run.name, ()) if run.settings else ()
            own = run.name, run.run_id
            choice = self.chosen.get(own) or choice_of(run.settings, keys)
            by_name.setdefault(run.name, {})[own] = choice
        return {
            own: parts
            for choices in by_name.values()
            for own, parts in zip(choices, parts_apart([*choices.values()]), strict=True)
        }


def _figures(run: RunSummary, *, rate: bool) -> Iterator[str]:
    progress = run.progress
    yield " ".join(share_words(progress))
    losses = {} if progress is None else progress.losses
    for split, word in (("train", "loss"), ("validation", "val")):
        yield f"{word} {number(losses[split])}" if split in losses else ""
    pace, left = (None, None) if progress is None else (progress.rate, progress.left)
    if rate:
        yield "" if pace is None else f"{count(round(pace))}/s"
    yield "" if left is None else f"{remaining(left)} left"


def state_line(run: RunSummary, status: str) -> str:
    """One run that has changed its state, where lines are not drawn again."""
    result = run.result
    known = "" if result is None else f": {result[0]} {run.metric} {number(result[1])}"
    error = f": {clean(run.error)}" if run.error else ""
    return f"{clean(run.label)} {status}{known or error}"


_GAP = 2


@dataclass
class _Row:
    """Running mean and variance of a config (Welford, Technometrics 4, 1962)."""

    variant: Comparable
    overlap: float = 0.0
    ended: int = 0
    diverged: int = 0
    known: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, score: RunSummary, column: int) -> None:
        self.ended += 1
        self.diverged += score.status == "diverged"
        value = score.by_split[column]
        if value is not None and score.status == "completed":
            self.known += 1
            step = value - self.mean
            self.mean += step / self.known
            self.squares += step * (value - self.mean)

    @property
    def cost(self) -> tuple[bool, float]:
        """The sort key, best first, as on the leaderboard."""
        sign = -1 if self.variant.larger_is_better else 1
        return not self.known, sign * self.mean if self.known else inf

    @property
    def result(self) -> str:
        """The mean ± half of its 95% interval."""
        if self.known < 2:
            return number(self.mean) if self.known else MISSING
        sd = sqrt(self.squares / (self.known - 1))
        return measured(self.mean, half_interval(sd, self.known, self.overlap))

    @property
    def runs(self) -> str:
        """The numbers of ended, planned and diverged runs."""
        of = f"{count(self.ended)}/{count(self.variant.planned)}"
        return f"{of}, {count(self.diverged)} diverged" if self.diverged else of


class FormingRows:
    """Means over the seeds so far, by data set, best first."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], dict[int, _Row]] = {}

    def add(self, variant: Comparable, score: RunSummary) -> None:
        """Add a run that has ended."""
        split = next(split for split in ("validation", "test", "train") if split in variant.splits)
        rows = self._groups.setdefault(
            (variant.dataset, f"{split} {metric_label(variant.metric)}"), {}
        )
        row = rows.setdefault(variant.number, _Row(variant, variant.overlap.get(split, 0.0)))
        row.add(score, SPLITS.index(split))

    def __len__(self) -> int:
        """How many lines there are."""
        return sum(1 + len(rows) for rows in self._groups.values())

    def table(self, most: int, width: int) -> RenderableType:
        """At most `most` lines of this width; the last line counts the rows left out."""
        shown = most if len(self) <= most else max(0, most - 1)
        lines = list(self._lines(shown))
        table = columns_of(lines, width)
        if len(lines) < len(self) and most > 0:
            table.add_row(Text(f"… {count(len(self) - len(lines))} more", "dim"))
        return table

    def _lines(self, most: int) -> Iterator[tuple[str, str, str]]:
        """The first lines; others are not put into words, as there may be many."""
        for (dataset, metric), rows in self._groups.items():
            if most <= 0:
                return
            names = {row.variant.name for row in rows.values()}
            alone = len(names) == 1 < len(rows)
            named = alone and dataset not in names
            yield clean(f"{names.pop()} on {dataset}" if named else dataset), metric, ""
            shown = nsmallest(most - 1, rows.values(), key=lambda row: row.cost)
            choices = parts_apart([row.variant.choice for row in shown])
            keys = telling_first(choices)
            for row, choice in zip(shown, choices, strict=True):
                own = {key: choice[key] for key in keys if key in choice}
                words = choice_words(own, keys)
                name = [] if alone and words else [row.variant.name]
                yield clean(" ".join([*name, *words])), row.result, row.runs
            most -= 1 + len(rows)


def columns_of(lines: Sequence[Sequence[str]], width: int) -> Table:
    """Texts in columns, one line for each row; the first column is cut to the remaining width."""
    table = Table.grid(padding=(0, _GAP, 0, 0))
    rest = [max(map(cell_len, column)) for column in list(zip(*lines, strict=True))[1:]]
    left = max(1, width - sum(wide + _GAP for wide in rest) - _GAP)
    for first, *others in lines:
        name = Text(first, "" if others[-1] else "bold")
        name.truncate(left, overflow="ellipsis")
        table.add_row(name, *(Text(other, no_wrap=True) for other in others))
    return table
