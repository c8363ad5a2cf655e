"""A Dask cluster of real processes on the loopback address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# In a process of its own: imported, Dask would change this one.
_TRAINING = """
import sys
from distributed import Client
with Client(sys.argv[1]) as client:
    print(sum("trainer.py" in str(stacks) for stacks in client.call_stack().values()))
"""

_JOINED = """
import sys
from distributed import Client
with Client(sys.argv[1]) as client:
    print(len(client.scheduler_info(n_workers=-1)["workers"]))
"""
_TOLD = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"}


class Cluster:
    """A scheduler and its workers, each a process that can be killed.

    Args:
        folder: for its files.
        workers: how many to start with.
        nanny: whether each has a parent that starts it again, as Dask's default is.
    """

    def __init__(self, folder: Path, workers: int = 2, nanny: bool = False) -> None:
        self.folder = folder
        self.nanny = "--nanny" if nanny else "--no-nanny"
        self.file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self.file)
        )
        self.workers: list[subprocess.Popen[bytes]] = []
        # Dask makes the file first and fills it then.
        self._wait_for(lambda: self.file.is_file() and self.file.read_text().endswith("}"))
        self.address = json.loads(self.file.read_text())["address"]
        for _ in range(workers):
            self.add_worker()

    def add_worker(self, **environment: str) -> None:
        """Start one more, with these variables besides."""
        words = (self.address, "--host", "127.0.0.1", "--nthreads", "1", self.nanny)
        self.workers.append(self._start("worker", *words, **environment))

    def kill_worker(self) -> None:
        """Kill the one that was started first."""
        self._kill(self.workers.pop(0))

    def kill_scheduler(self) -> None:
        """The workers end by themselves once it is gone."""
        self._kill(self.scheduler)

    def training(self) -> int:
        """How many workers are in the middle of a training loop."""
        return self._asked(_TRAINING)

    def wait_for_workers(self) -> None:
        """Until all that were started have joined the scheduler."""
        self._wait_for(lambda: self._asked(_JOINED) == len(self.workers), seconds=60)

    def _asked(self, question: str) -> int:
        command = [sys.executable, "-P", "-c", question, self.address]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                self._kill(process)

    def _start(self, kind: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", kind, "--no-dashboard", *words],
                cwd=self.folder,
                env={**os.environ, **_TOLD, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    @staticmethod
    def _wait_for(there, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < end, "the cluster did not start"
            time.sleep(0.05)
