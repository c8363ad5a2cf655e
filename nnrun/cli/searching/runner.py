"""Trains the runs of a search as those of a sweep are trained."""

from __future__ import annotations

from typing import Any, Protocol

from nnrun.cli.output import Output
from nnrun.cli.searching.view import watching_trials
from nnrun.cli.signals import Interruption
from nnrun.cli.sweeping.sparing import sparing_what_is_there
from nnrun.cli.sweeping.view import watching_sweep
from nnrun.reports.numbers import count
from nnrun.runs.storage.store import Store
from nnrun.search.search import Search
from nnrun.search.trials.source import SearchRuns
from nnrun.search.trials.trial import Trial
from nnrun.sweeps.choose import local_workers, workers_for
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.plan import Plan, RunSource
from nnrun.sweeps.progress import SweepProgress
from nnrun.sweeps.sweep import Sweep
from nnrun.sweeps.workers.dask import DaskWorkers
from nnrun.systems.cores import threads_for
from nnrun.trackers.tracking import Tracking


class Asked(Protocol):
    """The options that say where to train."""

    @property
    def jobs(self) -> int | None: ...
    @property
    def threads(self) -> int | None: ...
    @property
    def dask(self) -> str | None: ...


class CliRunner:
    """Trains runs on this machine or a cluster, and shows them.

    Args:
        store: where results are kept.
        datasets: load the data.
        output: of the command.
        interruption: asks to stop.
        asked: where to train.
        tracking: follows the runs elsewhere, if asked for.
    """

    def __init__(
        self,
        store: Store,
        datasets: Datasets,
        output: Output,
        interruption: Interruption,
        asked: Asked,
        tracking: Tracking,
    ) -> None:
        self._store = store
        self._datasets = datasets
        self._output = output
        self._interruption = interruption
        self._asked = asked
        self._tracking = tracking
        self._view: Any = None
        self.search: Search | None = None

    def __call__(self, plan: Plan, what: str, source: RunSource | None = None) -> SweepProgress:
        """Train the runs of a plan, or of a source."""
        assert self.search is not None
        asked = self._asked
        if asked.dask:
            plan.refuse_plugin_files()
        processes = 1 if asked.dask else workers_for(plan, asked.jobs)
        trials = isinstance(source, SearchRuns)
        watching = (
            watching_trials(self.search, self._output)
            if trials
            else watching_sweep(len(plan), self._output, f"{what}, ")
        )
        with watching as listener:
            self._view = listener if trials else None
            threads = (asked.threads or 1) if asked.dask else threads_for(asked.threads, processes)
            followed = self._tracking.listening(listener)
            sweep = Sweep(
                plan, self._store, self._datasets, followed, self._interruption.stop,
                threads=threads, source=source,
            )  # fmt: skip
            workers = DaskWorkers.at(asked.dask) if asked.dask else local_workers(sweep, processes)
            if trials:
                self._note_idle(workers.at_a_time)
            self._interruption.defer()
            with sparing_what_is_there():
                return sweep.run(workers)

    def _note_idle(self, workers: int) -> None:
        """Say if there are more workers than runs that may be in progress."""
        assert self.search is not None
        plan = self.search.plan
        most = plan.block.window * plan.default.variant.planned
        if workers > most and not plan.asynchronous:
            self._output.note(
                f"{count(workers)} workers, and {count(most)} have work at a time; "
                f"search.window={workers} lets all of them train, and makes it another search"
            )

    def changed(self, trial: Trial) -> None:
        """Show a trial that has ended or reached a rung."""
        if self._view is not None:
            self._view.trial(trial)
