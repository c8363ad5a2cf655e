"""Functions that run on the workers of a Dask cluster."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Lock
from time import monotonic
from typing import Any

from nnrun.data.dataset import Dataset
from nnrun.pool.task import Channel, WorkerLostError
from nnrun.sweeps.workers.job import Evaluations, Job, execute_job, limit_threads
from nnrun.sweeps.workers.wire import (
    Versions,
    pack_error,
    pack_message,
    pack_result,
    require_same,
    versions,
)
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

# The sweep fetches messages every second. After so long without it, its runs stop.
_SILENCE_SECONDS = 60.0

_lock = Lock()
_stopped: set[str] = set()
_polled: dict[str, float] = {}
_messages: dict[str, dict[tuple[str, type], Any]] = {}


class _DaskChannel(Channel):
    """The channel of a run: keeps the last message of each kind until it is fetched."""

    def __init__(self, token: str, key: str) -> None:
        self.token = token
        self.key = key
        self.begun = monotonic()

    def stopped(self) -> bool:
        silence = monotonic() - max(_polled.get(self.token, self.begun), self.begun)
        return self.token in _stopped or silence > _SILENCE_SECONDS

    def send(self, content: Progress | TrainingState | Evaluations) -> None:
        if isinstance(content, Evaluations):  # all would have to be kept; the result has them
            return
        if not self.stopped():  # messages of stopped runs are not fetched
            with _lock:
                _messages.setdefault(self.token, {})[self.key, type(content)] = content

    def drop(self) -> None:
        """Remove the messages of a run that has ended."""
        with _lock:
            for key in [key for key in _messages.get(self.token, {}) if key[0] == self.key]:
                del _messages[self.token][key]


def execute_jobs_on_dask(
    token: str, number: int, jobs: Sequence[Job], expected: Versions, dataset: Dataset
) -> list[bytes]:
    """Train runs and return the packed result, or the packed error, of each.

    When a worker is lost, Dask calls this again on another one. That is an error here, since the
    sweep may have checkpoints of the runs by then.

    `number` is that of the submission, `expected` the versions that runs must be trained with.
    """
    limit_threads()
    try:
        worker = import_module("distributed").get_worker()
        require_same(worker.address, versions(), expected)
        with _once(f"nnrun {token} {number}"):
            return [_executed(token, job, dataset) for job in jobs]
    except Exception as error:  # the sweep reports it
        return [pack_error(error)] * len(jobs)


def _executed(token: str, job: Job, dataset: Dataset) -> bytes:
    channel = _DaskChannel(token, job.key)
    try:
        return pack_result(execute_job(job, channel, dataset))
    except Exception as error:  # the other runs go on
        return pack_error(error)
    finally:
        channel.drop()


def unpack_dataset(content: bytes) -> Dataset:
    """The data of runs, pickled by the sweep; the result stays on the workers."""
    dataset: Dataset = pickle.loads(content)
    return dataset


class _Connection:
    """A worker's own connection to the scheduler, in place of a client.

    By default, workers in one process share a client, which ends with the first of them.
    """

    def __init__(self, worker: Any) -> None:
        self.scheduler = worker.scheduler
        self._loop = worker.loop

    def sync(self, function: Callable[..., Any], **given: Any) -> Any:
        """Call a function of the scheduler, and wait for its answer."""
        return import_module("distributed.utils").sync(self._loop, function, **given)


@contextmanager
def _once(name: str) -> Iterator[None]:
    """Run the block at most once in the cluster.

    Raises:
        WorkerLostError: another worker began with it before, or this one has lost its connection.
    """
    try:
        distributed = import_module("distributed")
        begun = distributed.Event(name, client=_Connection(distributed.get_worker()))
        repeated = begun.is_set()
        if not repeated:
            begun.set()
    except Exception as error:  # Dask raises a dozen kinds, as this worker retires
        raise WorkerLostError("its worker was lost") from error
    try:
        if repeated:
            raise WorkerLostError("its worker was lost")
        yield
    finally:
        with suppress(Exception):  # likewise; the result is still right
            begun.clear()


def stop(token: str) -> None:
    """Stop all runs of a sweep."""
    _stopped.add(token)


def fetch_messages(token: str) -> list[tuple[str, Any]]:
    """The packed messages of a sweep's runs since the last call."""
    _polled[token] = monotonic()
    with _lock:
        messages = _messages.pop(token, {})
    return [(key, pack_message(content, key)) for (key, _), content in messages.items()]
