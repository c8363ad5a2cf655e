"""The interface between a sweep and its workers, and the most that open files allow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from math import inf
from typing import Any
from weakref import WeakSet

from nnrun import pool as process_main
from nnrun.compiler.cache import CacheWarning, has_compiled_much
from nnrun.data.dataset import Dataset
from nnrun.pool import Channel, Message, NoWorkersError, ProcessPool, WorkerLostError
from nnrun.runs.record import RunResult
from nnrun.runs.storage.group_commit import MOST
from nnrun.sweeps.workers import job
from nnrun.sweeps.workers.job import Evaluations, Job, execute_job, limit_threads
from nnrun.systems import system
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

# Seconds that runs have to stop. Those that need longer are given up, with their last checkpoint.
PATIENCE = 3.5


class Workers:
    """Workers of one kind; those that inherit from it do nothing where they define nothing.

    `lost` are the errors of futures whose worker was lost; `patience` is how many seconds runs have
    to stop before they are given up; `reports` is whether runs say how far they are; `at_a_time`
    how many are trained at the same time.
    """

    lost: tuple[type[BaseException], ...] = ()
    patience: float = PATIENCE
    reports: bool = True
    at_a_time: int = 1

    @property
    def capacity(self) -> int:
        """How many runs to submit at the same time: more than are trained, so none waits."""
        return self.at_a_time

    @property
    def slots(self) -> int:
        """How many runs can be trained now; 0 where no worker has joined."""
        return self.at_a_time

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        """Submit a run; `load` returns its data."""
        raise NotImplementedError

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        """Wait for the first of these futures, or for this many seconds."""
        wait(awaited, seconds, FIRST_COMPLETED)

    def messages(self) -> list[Message]:
        """The messages of runs since the last call."""
        return []

    def check(self) -> None:
        """Raise an error if no worker is left."""

    def renew(self) -> None:
        """Send data out again, since workers that had it may be lost."""

    def stop(self) -> None:
        """Ask all runs to stop; those that have not begun return None."""

    def close(self) -> None:
        """End all workers at once."""


# The most files that a result keeps open until it is on the disk.
_OF_A_RESULT = 8
# The standard streams, the index, and files opened briefly.
_OTHERS = 16


def most_results() -> int:
    """The most results being stored at a time: one group while the next one is collected.

    They use at most half of the files that may be opened.
    """
    return max(min(2 * MOST, system.files_allowed() // 2 // _OF_A_RESULT), 1)


def most_runs() -> int:
    """The most runs in progress; each holds a lock on its folder."""
    return max(2 * _left() // 3, 1)


def most_processes() -> int:
    """The most worker processes; each needs a socket."""
    return max(_left() // 3 - _OTHERS, 1)


def _left() -> int:
    return system.files_allowed() - _OF_A_RESULT * most_results()


# This process as the only worker, and any executor of `concurrent.futures` as workers.


def ended(call: Callable[[], Any]) -> Future[Any]:
    """The future of a call that is made now, in this thread."""
    future: Future[Any] = Future()
    try:
        future.set_result(call())
    except Exception as error:  # passed on by the future
        future.set_exception(error)
    return future


class InlineWorkers(Workers):
    """This process, one run after the other; `handle` is called with each message."""

    def __init__(self, handle: Callable[[Message], None], stopped: Callable[[], bool]) -> None:
        self._handle = handle
        self._stopped = stopped

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        channel = _DirectChannel(job.key, self._handle, self._stopped)
        return ended(lambda: execute_job(job, channel, load()))

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        """Return at once: submitted runs have ended."""


@dataclass(frozen=True)
class _DirectChannel(Channel):
    key: str
    handle: Callable[[Message], None]
    stop: Callable[[], bool]

    def stopped(self) -> bool:
        return self.stop()

    def send(self, content: Progress | TrainingState | Evaluations) -> None:
        self.handle(Message(self.key, content))

    def ask(self, content: Evaluations) -> Any:
        answers: list[Any] = [None]
        self.handle(Message(self.key, content, answers.append))
        return answers[-1]


class ExecutorWorkers(Workers):
    """The workers of an executor, such as threads, a process pool or MPI ranks.

    It accepts functions of modules and values that can be pickled, trains `workers` runs at the
    same time, and is shut down by the caller. It only carries calls and results: these runs report
    no progress and cannot be stopped, and a sweep that ends early waits for those in progress.
    """

    lost = (BrokenExecutor,)
    patience = inf
    reports = False

    def __init__(self, executor: Executor, workers: int) -> None:
        self.at_a_time = workers
        self._executor = executor
        self._given: WeakSet[Future[RunResult | None]] = WeakSet()

    @property
    def capacity(self) -> int:
        return 2 * self.at_a_time

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        try:
            future = self._executor.submit(_work, job, load())
        except RuntimeError as error:  # broken, or shut down
            raise NoWorkersError(f"the executor takes no work: {error}") from error
        self._given.add(future)
        return future

    def stop(self) -> None:
        for future in list(self._given):
            future.cancel()

    def close(self) -> None:
        self.stop()


def _work(job: Job, dataset: Dataset) -> RunResult | None:
    limit_threads()
    return execute_job(job, Channel(), dataset)


# Worker processes of a sweep on this machine.

_MODULE = __name__


class ProcessWorkers(ProcessPool, Workers):
    """A pool of processes that train runs.

    Raises: OSError if not even one can be started.
    """

    lost = (WorkerLostError,)

    def __init__(self, workers: int) -> None:
        super().__init__(workers, _MODULE)


def main(word: str) -> None:
    """Train one run after the other, in a worker."""
    assert job  # loaded before the first run arrives
    warnings.simplefilter("ignore", CacheWarning)  # the sweep has shown it
    process_main.main(word, has_compiled_much)
