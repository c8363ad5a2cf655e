"""Progress of a search: a bar and the best trials on a terminal, else a line for each trial."""

from __future__ import annotations

from contextlib import AbstractContextManager
from time import monotonic
from typing import TYPE_CHECKING

from nnrun.cli.output import Output
from nnrun.cli.run_lines import DrawnRuns, RunLines, drawn_or_lines
from nnrun.reports.numbers import counted, number, plural, remaining
from nnrun.reports.terminal.search import choice_line, ending_words
from nnrun.search.search import Search
from nnrun.search.state import best_trials
from nnrun.search.trials.trial import Trial

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nnrun.sweeps.progress import SweepProgress

_MOST_SHOWN = 5


def watching_trials(search: Search, output: Output) -> AbstractContextManager[_View | TrialLines]:
    """Shows the progress of a search's trials."""
    return drawn_or_lines(_View, TrialLines, search, output)


def ended_trials(search: Search) -> list[int]:
    """How many trials and random trials have ended."""
    state = search.state
    return [sum(trial.ended for trial in trials) for trials in (state.trials, state.random)]


def total_of(search: Search) -> int | None:
    """How many trials there may be in all; None for as many as there is time for."""
    most = search.most_trials
    return None if None in most else sum(one or 0 for one in most)


def trial_counts(search: Search) -> str:
    """How many trials have ended, of how many: `3/6 trials and 0/6 random ones`."""
    ended, most = ended_trials(search), search.most_trials
    if not most or None in most:
        return plural(sum(ended), "trial")
    kinds = zip(ended, most, ("trials", "random ones"), strict=False)
    return " and ".join(f"{counted(done, of or 0)} {kind}" for done, of, kind in kinds)


class TrialLines(RunLines):
    """A line for each trial that has ended."""

    def __init__(self, search: Search, output: Output) -> None:
        super().__init__(output)
        self.search = search
        self.begun = monotonic()
        self._told: set[int] = set()

    def tried(self, trial: Trial) -> None:
        if not trial.ended or id(trial) in self._told:
            return
        self._told.add(id(trial))  # its other runs may end later
        if not self.is_due:  # its words are made of all trials
            return
        metric = self.search.plan.default.variant.metric
        is_random = any(trial is other for other in self.search.state.random)
        named = f"{'random trial' if is_random else 'trial'} {trial.number}"
        self.line(f"[{self.counted()}] {named}: {ending_words(trial, metric)}{self.best()}")

    def counted(self) -> str:
        """How many trials have ended, of how many, and the time that is left."""
        left = self.left(sum(ended_trials(self.search)), total_of(self.search))
        words = trial_counts(self.search)
        return words if left is None else f"{words}, {remaining(left)} left"

    def left(self, ended: int, most: int | None) -> float | None:
        """The seconds left, if they can be estimated."""
        limited = self.search.clock.left
        if limited is not None or most is None or not ended:
            return limited
        return (monotonic() - self.begun) / ended * (most - ended)

    def best(self) -> str:
        """The best trial so far, in words."""
        best = self.search.state.best
        return "" if best is None else f"; best {number(best.value)} (trial {best.number})"


class _View(DrawnRuns, TrialLines):
    """A bar, and the best trials so far."""

    def tried(self, trial: Trial) -> None:
        self._draw()

    def tick(self, progress: SweepProgress) -> None:
        super().tick(progress)
        self._draw()

    def _render(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415  # terminals only
        from rich.text import Text  # noqa: PLC0415

        search = self.search
        state, plan = search.state, search.plan
        total, done = total_of(search) or 0, sum(ended_trials(search))
        if plan.block.time is not None:
            total, done = round(plan.block.time), round(search.clock.used)
        lines = [
            Text(f"  {number(trial.value):>10}  trial {trial.number}  {choice_line(trial.choice)}")
            for trial in best_trials(state.trials, plan.goal, _MOST_SHOWN)
        ]
        for line in lines:
            line.truncate(max(self.console.width - 1, 1), overflow="ellipsis")
        overall = self._overall(done / max(1, total), f"{self.counted()}{self.best()}")
        return Group(overall, Text(), *lines)
