"""Trains the runs of a search as those of a sweep are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nnrun.cli.training import Training
from nnrun.reports.live.runs import Runs
from nnrun.reports.numbers import count
from nnrun.reports.shown import shown
from nnrun.reports.trials import Trials
from nnrun.runs.events import Listener
from nnrun.search.search import Search
from nnrun.search.trials.source import SearchRuns
from nnrun.search.trials.trial import Trial
from nnrun.sweeps.planning.plan import Plan, RunSource
from nnrun.sweeps.progress import SweepProgress


class CliRunner(Listener):
    """Trains runs, and shows them."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._trials: Trials | None = None
        self._workers = 1
        self.search: Search | None = None

    def __call__(self, plan: Plan, what: str, source: RunSource | None = None) -> SweepProgress:
        training = self._training
        if isinstance(source, SearchRuns):
            return training.run(plan, self._shown(), source, begin=self._note_idle)
        work = shown(Runs(len(plan), f"{what}, "), training.output)
        # With more threads, runs could take longer on a busy machine than those of trials, by which
        # their time is estimated.
        return training.run(plan, work, source, sharing=self._workers)

    @contextmanager
    def _shown(self) -> Iterator[Trials]:
        assert self.search is not None
        with shown(Trials(self.search), self._training.output) as self._trials:
            yield self._trials
        self._trials = None

    def _note_idle(self, workers: int) -> None:
        """Say if there are more workers than runs that may be in progress."""
        assert self.search is not None
        self._workers = workers
        plan = self.search.plan
        most = plan.block.window * plan.default.variant.planned
        if workers > most and not plan.asynchronous:
            self._training.output.note(
                f"{count(workers)} workers, and {count(most)} have work at a time; "
                f"search.window={workers} lets all of them train, and makes it another search"
            )

    def tried(self, trial: Trial) -> None:
        if self._trials is not None:
            self._trials.tried(trial)
