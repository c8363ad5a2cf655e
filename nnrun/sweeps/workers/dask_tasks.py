"""What runs on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Lock
from time import monotonic
from typing import Any

from nnrun import NUMERICS_VERSION, __version__
from nnrun.data.dataset import Dataset
from nnrun.sweeps.workers.base import WorkerLostError
from nnrun.sweeps.workers.job import Job, execute_job, limit_threads
from nnrun.sweeps.workers.wire import pack_error, pack_message, pack_result
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

# The client asks for news every second; without it, its runs would keep the workers for nothing.
_SILENCE_SECONDS = 60.0

_lock = Lock()
_stopped: set[str] = set()
_polled: dict[str, float] = {}
_messages: dict[str, dict[tuple[str, type], Any]] = {}


class _DaskChannel:
    """The channel of a run: leaves messages, the last of each kind, for the client to fetch."""

    def __init__(self, token: str, key: str) -> None:
        self.token = token
        self.key = key
        self.begun = monotonic()

    def stopped(self) -> bool:
        silence = monotonic() - max(_polled.get(self.token, self.begun), self.begun)
        return self.token in _stopped or silence > _SILENCE_SECONDS

    def progress(self, progress: Progress) -> None:
        self._post(progress)

    def checkpoint(self, state: TrainingState) -> None:
        self._post(state)

    def drop(self) -> None:
        """The run has ended, and its result says more."""
        with _lock:
            for key in [key for key in _messages.get(self.token, {}) if key[0] == self.key]:
                del _messages[self.token][key]

    def _post(self, content: Progress | TrainingState) -> None:
        if not self.stopped():  # else nobody will fetch it
            with _lock:
                _messages.setdefault(self.token, {})[self.key, type(content)] = content


def execute_job_on_dask(token: str, number: int, job: Job, dataset: Dataset) -> bytes:
    """Train a run of the sweep with this token, submitted under this number; packed for the way.

    Errors are packed, too. One is that another worker has begun with the run, and is gone: Dask
    then calls the same again; but by now the client may know where the run can go on.
    """
    limit_threads()
    channel = _DaskChannel(token, job.key)
    try:
        with _once(f"nnrun {token} {number}"):
            return pack_result(execute_job(job, channel, dataset))
    except Exception as error:  # it is the client's to tell
        return pack_error(error)
    finally:
        channel.drop()


@contextmanager
def _once(name: str) -> Iterator[None]:
    """Do what follows on one worker of the cluster, and no second time on another."""
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
    """Of nnrun, and of its numerics."""
    return __version__, NUMERICS_VERSION


def stop(token: str) -> None:
    """Have all runs of a sweep end where they are."""
    _stopped.add(token)


def fetch_messages(token: str) -> list[tuple[str, Any]]:
    """What the runs of a sweep have left since the last call, packed for the way."""
    _polled[token] = monotonic()
    with _lock:
        messages = _messages.pop(token, {})
    return [(key, pack_message(content, key)) for (key, _), content in messages.items()]
