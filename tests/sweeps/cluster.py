"""A Dask cluster of real processes on the loopback address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

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
