"""Verifying many runs in several processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock

from nnrun import child
from nnrun.errors import NnrunError
from nnrun.runs.verification.verify import Verification, verify


def verify_all(folders: Sequence[Path], jobs: int) -> Iterator[Verification]:
    """Verdicts in the order of the folders, computed by `jobs` processes.

    Raises:
        UsageError: there is no complete run in one of them.
        NnrunError: a process was killed.
    """
    jobs = min(jobs, len(folders))
    if jobs <= 1:
        yield from map(verify, folders)
        return
    processes = _Processes()
    executor = ThreadPoolExecutor(jobs)
    try:
        yield from executor.map(processes.verify, folders)
    finally:
        processes.kill()  # they save nothing
        executor.shutdown(cancel_futures=True)


class _Processes:
    """Processes, one for each thread that calls `verify` at the same time."""

    def __init__(self) -> None:
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._started: list[subprocess.Popen[bytes]] = []
        self._starting = Lock()
        self._ended = False

    def verify(self, folder: Path) -> Verification:
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._start()
        try:
            connection.send(folder)
            answer: Verification | Exception = connection.recv()
        except (EOFError, OSError) as error:
            raise NnrunError(f"{folder}: the process that verified it has ended") from error
        self._idle.put(connection)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self) -> None:
        with self._starting:
            self._ended = True
            for process in self._started:
                process.kill()
        for process in self._started:
            process.wait()

    def _start(self) -> Connection:
        with self._starting:
            if self._ended:
                raise NnrunError("no more runs are verified")
            process, connection = child.start(__name__, os.environ)
            self._started.append(process)
            return connection


def main(descriptor: int) -> None:
    """In a process: verify one folder after the other."""
    child.ignore_signals()
    with Connection(descriptor) as connection:
        while True:
            try:
                folder = connection.recv()
            except EOFError:
                return
            try:
                connection.send(verify(folder))
            except Exception as error:  # the command reports it
                connection.send(error)
