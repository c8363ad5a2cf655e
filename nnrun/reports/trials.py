"""Work of a search: how many trials have ended, the time left, and the best so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

from nnrun.characters import clean
from nnrun.reports.live.runs import Runs
from nnrun.reports.live.work import LINES_EACH, Output, Picture, Work
from nnrun.reports.numbers import count, counted, number, plural, remaining
from nnrun.reports.shown import shown
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.sweeps import choice_line, ending_words
from nnrun.runs.events import Listener
from nnrun.search.plan import SearchPlan
from nnrun.search.runs import SearchRuns
from nnrun.search.search import Search
from nnrun.search.state import best_trials
from nnrun.search.trials import Trial
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.planning.plan import Plan, RunSource
from nnrun.sweeps.sweep import Training

_MOST_SHOWN = 5


class Trials(Work):
    """The trials of a search."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self.search = search
        self.begun = monotonic()
        self._reported: set[int] = set()

    def tried(self, trial: Trial) -> None:
        if trial.ended and id(trial) not in self._reported:
            self._reported.add(id(trial))  # its other runs may end later
            self.display.line(lambda: self._line(trial), first=LINES_EACH)
        self.draw()

    def _line(self, trial: Trial) -> str:
        metric = self.search.plan.default.variant.metric
        is_random = any(trial is other for other in self.search.state.random)
        named = f"{'random trial' if is_random else 'trial'} {trial.number}"
        return f"[{self._counts()}] {named}: {ending_words(trial, metric)}{self.best()}"

    def picture(self, width: int) -> Picture:
        search = self.search
        total, done = total_of(search) or 0, sum(ended_trials(search))
        if search.plan.block.time is not None:
            total, done = round(search.plan.block.time), round(search.clock.used)
        share = min(done / max(1, total), 1.0)
        running = [at for _, at in self.running.values()]
        return Picture(self._counts(), share, running=running, board=_Best(search))

    def _counts(self) -> str:
        """How many trials have ended, of how many, and the time that is left."""
        left = self._left(sum(ended_trials(self.search)), total_of(self.search))
        words = trial_counts(self.search)
        return words if left is None else f"{words}, {remaining(left)} left"

    def _left(self, ended: int, most: int | None) -> float | None:
        """The seconds left, if they can be estimated."""
        limited = self.search.clock.left
        if limited is not None or most is None or not ended:
            return limited
        return (monotonic() - self.begun) / ended * (most - ended)

    def best(self) -> str:
        """The best trial so far, in words."""
        best = self.search.state.best
        return "" if best is None else f"; best {number(best.value)} (trial {best.number})"


class ShownSearch(Listener):
    """A search whose runs `training` trains, and which is shown; `others` are those of `Search`."""

    def __init__(self, plan: SearchPlan, training: Training, output: Output, **others: Any) -> None:
        self._training, self._output = training, output
        self._trials: Trials | None = None
        self._workers = 1
        assert training.store is not None
        self.search = Search(
            plan, training.store, self._train, training.stopped, listener=self, **others
        )

    def _train(self, plan: Plan, what: str, source: RunSource | None = None) -> SweepProgress:
        if not isinstance(source, SearchRuns):
            work = shown(Runs(len(plan), f"{what}, "), self._output)
            # With more threads, runs could take longer on a busy machine than those of trials, by
            # which their time is estimated.
            return self._training.run(plan, work, source, sharing=self._workers)
        self._trials = Trials(self.search)
        training = replace(self._training, begin=self._begin)
        return training.run(plan, shown(self._trials, self._output), source)

    def _begin(self, workers: int) -> None:
        """Say if there are more workers than runs that may be in progress."""
        plan, self._workers = self.search.plan, workers
        most = plan.block.window * plan.default.variant.planned
        if workers > most and not plan.asynchronous:
            self._output.note(
                f"{count(workers)} workers, and {count(most)} have work at a time; "
                f"search.window={workers} lets all of them train, and makes it another search"
            )
        self._training.begin(workers)

    def tried(self, trial: Trial) -> None:
        if self._trials is not None:
            self._trials.tried(trial)


class _Best:
    """The best trials so far, as rows of a board."""

    def __init__(self, search: Search) -> None:
        plan = search.plan
        self._metric = metric_label(plan.default.variant.metric)
        self._trials = best_trials(search.state.trials, plan.goal, _MOST_SHOWN)

    def __len__(self) -> int:
        return len(self._trials) + bool(self._trials)

    def lines(self, most: int) -> Iterator[tuple[str, str, str]]:
        """A heading, and a row for each trial with the number of its runs."""
        if most > 0:
            yield "best trials so far", self._metric, ""
        for trial in self._trials[: max(0, most - 1)]:
            label = clean(f"trial {trial.number} {choice_line(trial.choice)}")
            yield label, number(trial.value), plural(len(trial.runs), "run")


def ended_trials(search: Search) -> list[int]:
    """How many trials and random trials have ended."""
    state = search.state
    return [sum(trial.ended for trial in trials) for trials in (state.trials, state.random)]


def total_of(search: Search) -> int | None:
    """How many trials there may be in all; None for as many as there is time for."""
    most = search.most_trials
    return None if None in most else sum(each or 0 for each in most)


def trial_counts(search: Search) -> str:
    """How many trials have ended, of how many: `3/6 trials and 0/6 random ones`."""
    ended, most = ended_trials(search), search.most_trials
    if not most or None in most:
        return plural(sum(ended), "trial")
    kinds = zip(ended, most, ("trials", "random ones"), strict=False)
    return " and ".join(f"{counted(done, of or 0)} {kind}" for done, of, kind in kinds)
