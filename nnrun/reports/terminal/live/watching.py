"""The runs in progress as lines with bars, and the board that forms from those that have ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.settings import choice_of, choice_words
from nnrun.reports.numbers import count, number, plural, remaining
from nnrun.reports.progress_words import share_words, sweep_line
from nnrun.reports.terminal.live.forming import FormingRows
from nnrun.runs.catalog.summary import QUEUED, RUNNING, RunSummary
from nnrun.runs.storage.sweep_progress import SweepCounts

_BAR = 10
# Narrower terminals have no bars, or no rates.
_WIDE, _WIDEST = 60, 100
_MOST_LINES = 12
_MOST_SWEEPS = 4
HINT = "q or Ctrl-C ends this view; the runs go on"


class View:
    """What is drawn at one moment.

    Args:
        runs: in progress.
        keys: for each experiment, the settings in which its runs differ.
        rows: of the board.
        ended: how many have ended since the view began.
        hint: how to end it, if it goes on.
        sweeps: in progress, as far as they say how many runs they have.
    """

    def __init__(
        self,
        runs: Sequence[RunSummary],
        keys: Mapping[str, Sequence[str]],
        rows: FormingRows,
        ended: int,
        hint: str = "",
        sweeps: Sequence[SweepCounts] = (),
    ) -> None:
        self.runs = runs
        self.keys = keys
        self.rows = rows
        self.ended = ended
        self.hint = hint
        self.sweeps = sweeps

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        running = [run for run in self.runs if run.status == RUNNING]
        shown = running[: max(1, min(_MOST_LINES, options.size.height // 2))]
        yield Text(self._counts(len(running)), "bold")
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
        if self.hint:
            yield Text(self.hint, "dim")

    def _counts(self, running: int) -> str:
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
        keys = self.keys.get(run.name, ()) if run.settings else ()
        words = choice_words(choice_of(run.settings, keys))
        several = len({run.name for run in self.runs}) > 1 or not words
        fold = [] if run.fold is None else [f"fold={run.fold}"]
        seed = run.run_id.partition("-")[0]
        return clean(" ".join([*([run.name] if several else []), seed, *fold, *words]))


def _figures(run: RunSummary, *, rate: bool) -> Iterator[str]:
    """How far it is, its losses on the training and the validation split, how fast, how long."""
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
