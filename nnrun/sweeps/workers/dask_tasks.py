"""Functions that run on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Lock
from time import monotonic
from typing import Any

from nnrun import NUMERICS_VERSION, __version__
from nnrun.data.dataset import Dataset
from nnrun.pool.task import WorkerLostError
from nnrun.sweeps.workers.job import Job, execute_job, limit_threads
from nnrun.sweeps.workers.wire import pack_error, pack_message, pack_result
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

# The sweep fetches messages every second. After so long without it, its runs stop.
_SILENCE_SECONDS = 60.0

_lock = Lock()
_stopped: set[str] = set()
_polled: dict[str, float] = {}
_messages: dict[str, dict[tuple[str, type], Any]] = {}


class _DaskChannel:
    """The channel of a run: keeps the last message of each kind until it is fetched."""

    def __init__(self, token: str, key: str) -> None:
        self.token = token
        self.key = key
        self.begun = monotonic()

    def stopped(self) -> bool:
        silence = monotonic() - max(_polled.get(self.token, self.begun), self.begun)
        return self.token in _stopped or silence > _SILENCE_SECONDS

    def send(self, content: Progress | TrainingState) -> None:
        if not self.stopped():  # messages of stopped runs are not fetched
            with _lock:
                _messages.setdefault(self.token, {})[self.key, type(content)] = content

    def drop(self) -> None:
        """Remove the messages of a run that has ended."""
        with _lock:
            for key in [key for key in _messages.get(self.token, {}) if key[0] == self.key]:
                del _messages[self.token][key]


def execute_job_on_dask(token: str, number: int, job: Job, dataset: Dataset) -> bytes:
    """Train a run and return its packed result, or its packed error.

    When a worker is lost, Dask calls this again on another one. That is an error here, since the
    sweep may have a checkpoint of the run by then.

    Args:
        token: of the sweep.
        number: of the submission.
        job: the run.
        dataset: its data.
    """
    limit_threads()
    channel = _DaskChannel(token, job.key)
    try:
        with _once(f"nnrun {token} {number}"):
            return pack_result(execute_job(job, channel, dataset))
    except Exception as error:  # the sweep reports it
        return pack_error(error)
    finally:
        channel.drop()


@contextmanager
def _once(name: str) -> Iterator[None]:
    """Run the block at most once in the cluster.

    Raises:
        WorkerLostError: another worker began with it before.
    """
    begun = import_module("distributed").Event(name)
    if begun.is_set():
        begun.clear()
        raise WorkerLostError("its worker was lost")
    begun.set()
    try:
        yield
    finally:
        begun.clear()


def versions() -> tuple[str, int]:
    """The versions of nnrun and of its numerics."""
    return __version__, NUMERICS_VERSION


def stop(token: str) -> None:
    """Stop all runs of a sweep."""
    _stopped.add(token)


def fetch_messages(token: str) -> list[tuple[str, Any]]:
    """The packed messages of a sweep's runs since the last call."""
    _polled[token] = monotonic()
    with _lock:
        messages = _messages.pop(token, {})
    return [(key, pack_message(content, key)) for (key, _), content in messages.items()]
