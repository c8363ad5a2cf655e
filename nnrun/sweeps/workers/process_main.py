"""The main loop of a worker process: jobs come in over a socket, results go back over it.

The worker exits at once when the socket closes, so that no worker outlives its sweep.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import sys
import warnings
from collections import deque
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from nnrun.child import ignore_signals
from nnrun.data.dataset import Dataset
from nnrun.engines.compiled.llvm.cache import CacheWarning
from nnrun.sweeps.planning.datasets import LruCache
from nnrun.sweeps.workers.base import serialize_error
from nnrun.sweeps.workers.job import Channel, Job, execute_job
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

STOP = "stop"


class _SocketChannel:
    """The worker's end of the socket; also the channel of the run in progress."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._arrived = select.poll()
        self._arrived.register(connection, select.POLLIN)
        self._stopped = False
        # Each job with its data, or None if they were sent before.
        self._jobs: deque[tuple[Job, Any]] = deque()

    def next_job(self) -> tuple[Job, Any]:
        """Wait for the next job.

        Raises:
            EOFError: the sweep has ended.
        """
        while not self._jobs:
            self._receive()
        return self._jobs.popleft()

    def stopped(self) -> bool:
        while not self._stopped and self._arrived.poll(0):
            self._receive()
        return self._stopped

    def progress(self, progress: Progress) -> None:
        self._connection.send_bytes(_packed("progress", progress))

    def checkpoint(self, state: TrainingState) -> None:
        self._connection.send_bytes(_packed("checkpoint", state))

    def _receive(self) -> None:
        message = pickle.loads(self._connection.recv_bytes())
        if message == STOP:
            self._stopped = True
        else:
            self._jobs.append(message)


def main(descriptor: int) -> None:
    """Work until the socket closes."""
    ignore_signals()
    try:
        Thread(target=_watch, args=(descriptor,), daemon=True).start()
    except RuntimeError as error:  # without that thread it might outlive the sweep
        sys.exit(f"a worker ends: {error}")
    warnings.simplefilter("ignore", CacheWarning)  # the sweep has shown it
    connection = Connection(descriptor)
    channel = _SocketChannel(connection)
    datasets: LruCache[Dataset] = LruCache()
    gc.freeze()  # collecting all modules takes as long as tens of short runs
    try:
        connection.send_bytes(_packed("ready", None))
        while True:
            job, dataset = channel.next_job()
            connection.send_bytes(_answer(job, channel, datasets.keep(job.data, dataset)))
    except (EOFError, OSError):
        os._exit(0)


def _answer(job: Job, channel: Channel, dataset: Dataset) -> bytes:
    try:
        return _packed("result", execute_job(job, channel, dataset))
    except Exception as error:  # the sweep reports it
        return _packed("error", serialize_error(error))


def _packed(kind: str, content: Any) -> bytes:
    return pickle.dumps((kind, content), pickle.HIGHEST_PROTOCOL)


def _watch(descriptor: int) -> None:
    """End this process when the other end of the socket is closed."""
    closed = select.poll()
    closed.register(descriptor, 0)  # hang-ups are always reported
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in closed.poll()):
        pass
    os._exit(0)
