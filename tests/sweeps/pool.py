"""A `LocalCluster` in a process of its own, whose workers come and go as a test wants.

In the process of the tests, Dask would change loggers and signals of others. Its workers are
threads, since processes would take seconds to start.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.sweeps.cluster import SETTINGS


class Pool:
    """The process, and what it can be asked to do."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.sweeps.pool"],
            env={**os.environ, **SETTINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self.ask("address")

    def ask(self, *words: Any) -> Any:
        """What the process answers."""
        print(json.dumps(words), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Served:
    """The cluster, on the other side of the pipe."""

    def __init__(self) -> None:
        import dask
        from distributed import LocalCluster

        # The scheduler's memory manager takes copies of data from workers that have no task for a
        # moment, and sends them again with the next: what is counted here is what sweeps send.
        dask.config.set({"distributed.scheduler.active-memory-manager.start": False})
        self.cluster = LocalCluster(
            n_workers=0, processes=False, threads_per_worker=1, protocol="tcp", host="127.0.0.1",
            dashboard_address=None,
        )  # fmt: skip
        self.adaptive: Any = None
        self.tasks = 0
        self.trained: Counter[str] = Counter()
        self.data: Counter[str] = Counter()
        self._count_calls()

    def address(self) -> str:
        return self.cluster.scheduler_address

    def scale(self, workers: int) -> None:
        """Have this many workers: those that are too many retire."""
        if self.adaptive is not None:
            self.adaptive.stop()  # it would scale again, for tasks that a sweep has left
        self.cluster.scale(workers)
        end = time.monotonic() + 60
        while len(self.cluster.scheduler.workers) != workers and time.monotonic() < end:
            time.sleep(0.01)

    def adapt(self, least: int, most: int) -> None:
        """Have as many workers as the scheduler finds useful."""
        self.adaptive = self.cluster.adapt(
            minimum=least, maximum=most, interval="0.1s", target_duration="1s"
        )

    def waiting(self) -> tuple[int, int]:
        """How many tasks of runs there are, and the most that one worker was given."""
        scheduler = self.cluster.scheduler
        given = [[task.key for task in one.processing] for one in scheduler.workers.values()]
        return tasks_of_runs(scheduler.tasks), max(map(tasks_of_runs, given), default=0)

    def numpy(self, version: str) -> str:
        """Pretend that workers have this version; returns the one before."""
        before, np.__version__ = np.__version__, version
        return before

    def counts(self) -> dict[str, Any]:
        """Tasks, how often each run was begun, and how often each worker got data; from zero."""
        for worker in self.cluster.workers.values():
            for transfer in worker.transfer_incoming_log:
                self.data[worker.address] += sum(map(is_data, transfer["keys"]))
        found = {"tasks": self.tasks, "trained": {**self.trained}, "data": {**self.data}}
        self.tasks = 0
        self.trained.clear()
        self.data.clear()
        return found

    def _count_calls(self) -> None:
        from distributed import get_worker

        from nnrun.sweeps.workers import dask_tasks

        begin_task, train, loads = dask_tasks._once, dask_tasks.execute_job, pickle.loads

        def once(name: str) -> Any:
            self.tasks += 1
            return begin_task(name)

        def execute_job(job: Any, *given: Any) -> Any:
            self.trained[job.key] += 1
            return train(job, *given)

        def unpickled(content: bytes) -> Any:
            self.data[get_worker().address] += 1
            return loads(content)

        # The functions of tasks stay as they are: the scheduler sends them on.
        dask_tasks._once, dask_tasks.execute_job = once, execute_job
        dask_tasks.pickle = SimpleNamespace(loads=unpickled)


def tasks_of_runs(keys: Iterable[Any]) -> int:
    return sum(not is_data(key) for key in keys)


def is_data(key: Any) -> bool:
    return str(key[0]).startswith("nnrun-data-")


def main() -> None:
    served = Served()
    for line in sys.stdin:
        name, *given = json.loads(line)
        print(json.dumps(getattr(served, name)(*given)), flush=True)


if __name__ == "__main__":
    main()
