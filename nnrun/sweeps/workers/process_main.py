"""The life of a worker process: jobs come in over a socket, results go back over it.

The client starts it with a socket and nothing else between them. Where the socket closes, the
client is gone, and the worker goes at once, whatever it is doing: no worker outlives its client.
"""

from __future__ import annotations

import os
import warnings
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

from nnrun.child import ignore_signals
from nnrun.data.dataset import Dataset
from nnrun.engines.compiled.cache import CacheWarning
from nnrun.sweeps.datasets import LruCache
from nnrun.sweeps.workers.base import told
from nnrun.sweeps.workers.job import Job, execute_job
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

STOP = "stop"


class _SocketChannel:
    """The worker's end; also the channel of the run in progress."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = Lock()
        self._stop = Event()
        # With each job its data, or None where that was sent before and will be remembered.
        self.jobs: SimpleQueue[tuple[Job, Any]] = SimpleQueue()
        Thread(target=self._listen, daemon=True).start()

    def send(self, kind: str, content: Any) -> None:
        with self._sending:
            self._connection.send((kind, content))

    def stopped(self) -> bool:
        return self._stop.is_set()

    def progress(self, progress: Progress) -> None:
        self.send("progress", progress)

    def checkpoint(self, state: TrainingState) -> None:
        self.send("checkpoint", state)

    def _listen(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                if message == STOP:
                    self._stop.set()
                else:
                    self.jobs.put(message)
        except (EOFError, OSError):
            os._exit(0)


def main(descriptor: int) -> None:
    """Work until the socket closes."""
    ignore_signals()
    warnings.simplefilter("ignore", CacheWarning)  # the client has said it
    socket = _SocketChannel(Connection(descriptor))
    datasets: LruCache[Dataset] = LruCache()
    while True:
        job, dataset = socket.jobs.get()
        try:
            result = execute_job(job, socket, datasets.keep(job.data, dataset))
        except Exception as error:  # it is the client's to tell
            socket.send("error", told(error))
        else:
            socket.send("result", result)
