"""Trains the runs of a sweep or a search, on this machine or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nnrun.cli.group import Interruption
from nnrun.cli.output import Output
from nnrun.errors import NnrunError, NothingSavedError, UsageError
from nnrun.runs.events import Listener, Listeners
from nnrun.runs.storage.store import Store
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.planning.frozen import Planned
from nnrun.sweeps.planning.plan import WHOLE, Plan, RunSource, Shard
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Sweep, local_workers, workers_for
from nnrun.sweeps.workers.base import Workers
from nnrun.sweeps.workers.dask import DaskWorkers
from nnrun.systems.process import threads_for
from nnrun.trackers.tracking import Trackers, Tracking


@dataclass(frozen=True)
class TrainingRequest:
    """The options of a command that trains many runs."""

    results: Path
    iterations: int | None
    jobs: int | None
    threads: int | None
    dask: str | None
    trackers: Trackers

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            UsageError: two of them do.
        """
        if self.dask is not None and self.jobs is not None:
            raise UsageError("--jobs is for processes on this machine, and --dask for a cluster")
        if self.dask is not None and not self.dask.strip():
            raise UsageError(
                "--dask needs the address of a scheduler, such as tcp://127.0.0.1:8786"
            )


@dataclass(frozen=True)
class Training:
    """Trains runs with the options of a command."""

    asked: TrainingRequest
    store: Store
    datasets: Datasets
    output: Output
    interruption: Interruption
    tracking: Tracking

    def run(
        self,
        plan: Plan,
        work: AbstractContextManager[Listener],
        source: RunSource | None = None,
        *,
        force: bool = False,
        fail_fast: bool = False,
        sharing: int = 1,
        begin: Callable[[int], None] = lambda at_a_time: None,
    ) -> SweepProgress:
        """Train the runs of a plan, or of a source; `begin` is called with the number of
        workers. Runs have the threads that they had if at least so many `sharing` workers trained.
        """
        asked = self.asked
        if asked.dask:
            plan.refuse_plugin_files()
        processes = 1 if asked.dask else workers_for(plan, asked.jobs)
        threads = (
            (asked.threads or 1)
            if asked.dask
            else threads_for(asked.threads, max(processes, sharing))
        )
        with work as listener:
            sweep = Sweep(
                plan, self.store, self.datasets, Listeners(listener, self.tracking),
                self.interruption.stop, force=force, fail_fast=fail_fast, threads=threads,
                source=source,
            )  # fmt: skip
            if asked.dask:
                workers: Workers = DaskWorkers.at(asked.dask, listener.warn)
            else:
                workers = local_workers(sweep, processes)
            begin(workers.at_a_time)
            self.interruption.defer()
            return sweep.run(workers)


@contextmanager
def saying_how_to_go_on(again: str, interruption: Interruption) -> Iterator[None]:
    """Errors say the command that continues, and once work has begun, what of it is saved."""
    try:
        yield
    except UsageError:
        raise
    except NnrunError as error:
        some = interruption.deferred and not isinstance(error, NothingSavedError)
        saved = "what was finished is saved; " if some else ""
        raise NnrunError(f"{error}; {saved}to continue:\n  {again}") from error


# The options of `nnrun sweep`.


@dataclass(frozen=True)
class Request(TrainingRequest):
    """The options of the command."""

    seeds: int | None
    max_runs: int
    recursive: bool
    order_by: str | None
    margin: float | None
    beside: str | None
    replication: bool
    reference: Path | None
    shard: Shard
    force: bool
    fail_fast: bool
    plan: Path | None
    planned: Planned | None = None

    def check(self) -> None:
        super().check()
        fixed = {
            "--seeds": self.seeds,
            "--iterations": self.iterations,
            "--order-by": self.order_by,
            "--margin": self.margin,
            "--beside": self.beside,
            "--recursive": self.recursive or None,
        }
        changes = [option for option, value in fixed.items() if value is not None]
        if self.plan is not None and changes:
            raise UsageError(
                f"--plan says what is trained and compared; leave out {' and '.join(changes)}, or "
                "make another plan with that"
            )
        if self.reference is not None and not self.replication:
            raise UsageError(
                "--reference says what --replication holds our means against; add that"
            )
        if self.replication and self.shard != WHOLE:
            raise UsageError(
                "--replication is about all runs; add it to the command without --shard"
            )
