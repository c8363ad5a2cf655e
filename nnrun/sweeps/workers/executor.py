"""Any executor of `concurrent.futures` as workers: threads, a process pool, MPI ranks.

    with ProcessPoolExecutor(4) as executor:
        sweep = Sweep(plan, store, datasets, SweepListener())
        progress = sweep.run(ExecutorWorkers(executor, workers=4))

An executor only carries calls and results. So these runs report no progress and cannot be stopped:
a sweep that ends early waits for those in progress. The workers of the command line can do both.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from math import inf
from weakref import WeakSet

from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError
from nnrun.pool.task import Channel
from nnrun.runs.record import RunResult
from nnrun.sweeps.workers.base import Workers
from nnrun.sweeps.workers.job import Job, execute_job, limit_threads


class ExecutorWorkers(Workers):
    """The workers of an executor, which the caller shuts down.

    It accepts functions of modules and values that can be pickled, and trains `workers` runs at the
    same time.
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
            raise NnrunError(f"the executor takes no work: {error}") from error
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
