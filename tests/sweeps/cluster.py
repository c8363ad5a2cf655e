"""Dask clusters for tests: of real processes on the loopback address, and one of threads."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.forked import COMMANDS, Forked
from tests.waiting import until

# In a process of its own: imported, Dask would change this one.
_ANSWERS = """
import sys
from distributed import Client
with Client(sys.argv[1]) as client:
    for question in sys.stdin:
        print(eval(question), flush=True)
"""
_TRAINING = 'sum("trainer.py" in str(stacks) for stacks in client.call_stack().values())'
_JOINED = 'len(client.scheduler_info(n_workers=-1)["workers"])'
# Seconds: asking costs the processes that are asked as well.
_PAUSE = 0.1
# By default each process watches itself many times a second, also while it has nothing to do.
SETTINGS = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
}
DASK = (
    "tests.sweeps.calm_dask",  # before the others
    "distributed.cli.dask_scheduler",
    "distributed.cli.dask_worker",
    "nnrun.sweeps.workers.dask_tasks",
    *COMMANDS,
)
"""What processes of a cluster import, and commands that send runs to it."""


class Cluster:
    """A scheduler and its workers, each a process that can be killed.

    Args:
        folder: for its files.
        workers: how many to start with.
    """

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self._asked: subprocess.Popen[str] | None = None
        self.restore(workers)

    def restore(self, workers: int) -> None:
        """Have a scheduler and this many workers that run, whatever was killed before."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            self.close()
            self._start_scheduler()
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) > workers:
            self.kill_worker()
        while len(self.workers) < workers:
            self.add_worker()

    def _start_scheduler(self) -> None:
        self.file.unlink(missing_ok=True)
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self.file)
        )
        # Dask makes the file first and fills it then.
        until(lambda: self.file.is_file() and self.file.read_text().endswith("}"))
        self.address = json.loads(self.file.read_text())["address"]

    def add_worker(self, nanny: bool = False, **environment: str) -> None:
        """Start one more.

        Args:
            nanny: whether it has a parent that starts it again, as Dask's default is.
            environment: variables that it has besides.
        """
        parent = "--nanny" if nanny else "--no-nanny"
        words = (self.address, "--host", "127.0.0.1", "--nthreads", "1", parent)
        self.workers.append(self._start("worker", *words, **environment))

    def kill_worker(self) -> None:
        """Kill the one that was started first."""
        self._kill(self.workers.pop(0))

    def kill_scheduler(self) -> None:
        """The workers end by themselves once it is gone."""
        assert self.scheduler is not None
        self._kill(self.scheduler)

    def wait_for_training(self, workers: int, process: subprocess.Popen[str]) -> None:
        """Until this many workers are in the middle of a training loop of a sweep."""

        def is_training() -> bool:
            assert process.poll() is None, process.communicate()
            return self._ask(_TRAINING) == workers

        until(is_training, pause=_PAUSE)

    def wait_for_workers(self) -> None:
        """Until all that were started have joined the scheduler."""
        until(lambda: self._ask(_JOINED) == len(self.workers), pause=_PAUSE)

    def _ask(self, question: str) -> int:
        if self._asked is None:
            self._asked = Forked(
                DASK,
                ["-c", _ANSWERS, self.address],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._asked.stdin is not None
        assert self._asked.stdout is not None
        print(question, file=self._asked.stdin, flush=True)
        return int(self._asked.stdout.readline())

    def close(self) -> None:
        """Kill all of it."""
        if self._asked is not None:
            self._kill(self._asked)
            self._asked.communicate()
            self._asked = None
        for process in (*self.workers, self.scheduler):
            if process is not None and process.poll() is None:
                self._kill(process)

    def _start(self, kind: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        command = ["dask", kind, "--no-dashboard", *words]
        # NumPy looks at its environment while it is imported; a nanny starts Python by itself.
        new = {*environment} - {"PYTHONPATH"} or "--nanny" in words
        with (self.folder / f"{kind}.log").open("ab") as log:
            options = {
                "cwd": self.folder,
                "env": {**os.environ, **SETTINGS, **environment},
                "stdin": subprocess.DEVNULL,
                "stdout": log,
                "stderr": log,
            }
            if new:
                return subprocess.Popen([sys.executable, "-m", *command], **options)
            return Forked(DASK, command, **options)

    @staticmethod
    def _kill(process: subprocess.Popen[Any]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()


# A pool of threads in a process of its own, whose workers come and go as a test wants.


class Pool:
    """The process, and what it can be asked to do."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.sweeps.cluster"],
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
