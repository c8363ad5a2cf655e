"""This process as the only worker, and any executor of `concurrent.futures` as workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from math import inf
from typing import Any
from weakref import WeakSet

from nnrun.data.dataset import Dataset
from nnrun.pool.task import Channel, Message, NoWorkersError
from nnrun.runs.record import RunResult
from nnrun.sweeps.workers.base import Workers
from nnrun.sweeps.workers.job import Evaluations, Job, execute_job, limit_threads
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress


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
