"""The work of a worker: it receives a config and returns a result."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf, isfinite
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nnrun import NUMERICS_VERSION, __version__
from nnrun.config.load import resolved_config
from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError
from nnrun.models.load import pack, unpack, weights_sha256
from nnrun.nn.signature import Array
from nnrun.plugins.loading import NO_PLUGINS, Shipment, receive
from nnrun.plugins.part import Source
from nnrun.pool import Channel, WorkerLostError, deserialize_error, serialize_error
from nnrun.runs.events import Listener, now_and_then
from nnrun.runs.execution.execute import execute
from nnrun.runs.preparation.config_cache import ConfigCache
from nnrun.runs.preparation.prepare import check_rows, prepare_again
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import Replicate, RunRecord, RunResult
from nnrun.runs.storage.contents import pack_checkpoint, parse_checkpoint
from nnrun.runs.storage.progress import is_history
from nnrun.runs.storage.validation import invalid_part
from nnrun.training.state import HistoryRow, TrainingState
from nnrun.training.trainer import Progress
from nnrun.training.watched import Watched, is_valid

_PROGRESS_SECONDS = 0.25
# A busy worker is sent only runs that take at most this many seconds, with configs of at most
# this many characters.
_SHORT_SECONDS = 0.08
_SHORT_CONFIG = 1 << 14
# Values of the block `training` that are no part of compiled code, unless they are blocks.
NOT_IN_CODE = ("learning_rate", "iterations", "epochs", "evaluate_every", "evaluate_rows")


@dataclass(frozen=True)
class Job:
    """One run, as it is sent to a worker.

    Args:
        key: of the run in its sweep.
        config: resolved, as JSON; its seeds and its fold are not used.
        replicate: the seeds and the fold of the run.
        run_id: which the worker must compute, too.
        data: the key of its data.
        checkpoint: the state to continue from.
        threads: how many it may use.
        seconds: estimated for the run.
        until: the iteration to pause at, if any.
        plugins: the sources of parts that the config names.
        follows: whether its evaluations are sent, now and then.
        asks: whether each evaluation is sent, and training waits for whether to stop there.
        alone: whether it may share its worker with no other run, since it has lost one before.
    """

    key: str
    config: str
    replicate: Replicate
    run_id: str
    data: str
    checkpoint: TrainingState | None = None
    threads: int = 1
    seconds: float = inf
    until: int | None = None
    plugins: Shipment = NO_PLUGINS
    follows: bool = False
    asks: bool = False
    alone: bool = False

    @property
    def is_short(self) -> bool:
        """Whether it takes little time, and is a short message."""
        message = self.checkpoint is None and len(self.config) <= _SHORT_CONFIG
        return message and self.seconds <= _SHORT_SECONDS

    def run(self, channel: Channel, data: Dataset) -> RunResult | None:
        """Train the run on its data; see `execute_job`."""
        return execute_job(self, channel, data)


@dataclass(frozen=True)
class Evaluations:
    """Evaluations of a run in progress, those since the last message."""

    rows: Sequence[HistoryRow]


def execute_job(job: Job, channel: Channel, dataset: Dataset) -> RunResult | None:
    """Train a run; None if the sweep was stopped before it began.

    Progress and checkpoints are sent over the channel.

    Raises: NnrunError if this process computes another run id; DatasetProblem if the rows that the
    seed draws do not suit the config; PluginError if it does not have the plugins.
    """
    if channel.stopped():
        return None
    receive(job.plugins)
    replicate, sources = job.replicate, job.plugins.sources
    cache = _cache_of(job.config, job.data, replicate.split_seed, replicate.fold, sources)
    given = resolved_config(job.config, sources)
    config = replicate.applied(given)
    if config.dataset is given.dataset:
        cache.get("config", lambda: job.config)  # not written anew
    prepared = prepare_again(config, dataset, cache)
    if prepared.run_id != job.run_id:
        raise NnrunError(f"this worker's nnrun makes it {prepared.run_id}: versions differ")
    check_rows(prepared)
    sender = _Sender(job, channel)
    return execute(prepared, job.checkpoint, sender, threads=job.threads, until=job.until)


@cache
def limit_threads() -> Any:
    """Limit BLAS to one thread for good, in a process that may train several runs.

    Each run also sets this limit for itself, but the first one to end would lift it.
    """
    return threadpool_limits(1, user_api="blas")


@lru_cache(maxsize=512)
def _cache_of(
    config: str,
    data: str,
    split_seed: int | None,
    fold: int | None,
    sources: Sequence[Source],
) -> ConfigCache:
    """The cache shared by all seeds of a config on these data and this split or fold."""
    content = json.loads(config)
    training = content.get("training", {})
    for key in NOT_IN_CODE:
        if not isinstance(training.get(key), dict):
            training.pop(key, None)
    plugins = [source.sha256 for source in sources]
    return ConfigCache(_shared_cache_of(data, split_seed, fold, *plugins, json.dumps(content)))


@lru_cache(maxsize=64)
def _shared_cache_of(*_content: Hashable) -> ConfigCache:
    """The cache shared by configs whose code and the check of it are the same."""
    return ConfigCache()


class _Sender(Listener):
    """Sends the events of a run from its worker."""

    def __init__(self, job: Job, channel: Channel) -> None:
        super().__init__(stop=channel.stopped, checkpoint=now_and_then(channel.send))
        self.decides = job.asks
        self._job = job
        self._channel = channel
        self._shown = monotonic()
        self._rows = 0

    def started(self, run: Prepared, iteration: int) -> None:
        if not self._job.is_short:  # such a run is shown as queued until it says this
            self._channel.send(Progress(iteration, max(1, run.updates), None, 0.0))

    def progressed(self, run: Prepared, progress: Progress) -> None:
        if monotonic() - self._shown <= _PROGRESS_SECONDS:
            return
        self._channel.send(progress.brief())
        if len(progress.history) < self._rows:  # another member of the run has begun
            self._rows = 0
        if self._job.follows and not self.decides and len(progress.history) > self._rows:
            self._channel.send(Evaluations(progress.since(self._rows)))
            self._rows = len(progress.history)
        self._shown = monotonic()

    def evaluated(self, run: Prepared, rows: Sequence[HistoryRow]) -> bool:
        return bool(self._channel.ask(Evaluations(rows)))


# Messages of workers that are not trusted: JSON and arrays, validated; and versions, compared.
#
# Nothing in them is executed, and a result counts only for the run that was submitted.

Versions = dict[str, str]


class OtherVersionError(WorkerLostError):
    """A worker has another version, and trains nothing."""


def versions() -> Versions:
    """Versions of this process."""
    return {
        "nnrun": __version__,
        "numerics of nnrun": str(NUMERICS_VERSION),
        "NumPy": np.__version__,
    }


def require_same(worker: str, found: Versions, expected: Versions) -> None:
    """Compare the versions of a worker with those of the sweep.

    Raises: OtherVersionError if they differ.
    """
    for name, version in expected.items():
        if found.get(name) != version:
            raise OtherVersionError(
                f"the worker {worker} has {name} {found.get(name)}, and this process {version}, "
                "so that bits could differ; install the same versions"
            )


# Errors that are of the worker, and not of the run; subclasses first.
_KINDS = {"version": OtherVersionError, "lost": WorkerLostError}
_STATES = ("checkpoint", "ending")
_ORIGIN = Path("what the worker gave back")


def pack_result(result: RunResult | None) -> bytes:
    """A result as bytes."""
    if result is None:
        return b""
    arrays = _under("weights", result.weights or {})
    values: dict[str, Any] = {
        "record": result.record.to_dict(),
        "history": result.history,
        "weights": result.weights is not None,
        "metadata": result.metadata,
    }
    for name in _STATES:
        state: TrainingState | None = getattr(result, name)
        values[name] = None if state is None else state.values
        arrays |= _under(name, {} if state is None else state.arrays)
    watched = result.watched
    values["watched"] = None if watched is None else watched.values
    arrays |= _under("watched", {} if watched is None else watched.arrays)
    return pack(arrays, values)


def pack_error(error: Exception) -> bytes:
    """An error in place of a result, as bytes, since Dask would pickle exceptions."""
    message, traceback = serialize_error(error)
    kind = next((name for name, found in _KINDS.items() if isinstance(error, found)), "")
    return pack({}, {"error": message, "traceback": traceback, "kind": kind})


def unpack_result(content: bytes, key: str) -> RunResult | None:
    """The result in the bytes of `pack_result` or `pack_error` that a worker returned.

    `key` is the `name/run id` of the run that was submitted.

    Raises: NnrunError if the content is invalid, or of another run; or the error of the worker.
    """
    if content == b"":
        return None
    try:
        arrays, values = unpack(_ORIGIN, content)
        if "error" in values:
            raise _error(values)
        record = RunRecord.from_dict(values["record"])
        part = invalid_part(record)
        if part is not None:
            raise NnrunError(f"{_ORIGIN} is no result: its '{part}' is not what it should be")
        if f"{record.name}/{record.run_id}" != key:
            raise NnrunError(f"{_ORIGIN} is the run {record.name}/{record.run_id}")
        weights = _of("weights", arrays) if values["weights"] else None
        states = {
            name: None if values[name] is None else TrainingState(_of(name, arrays), values[name])
            for name in _STATES
        }
        known = values["watched"]
        watched = None if known is None else Watched(_of("watched", arrays), known)
        history, metadata = list(values["history"]), dict(values["metadata"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NnrunError(f"{_ORIGIN} is no result") from error
    if record.weights_sha256 != (None if weights is None else weights_sha256(weights)):
        raise NnrunError(f"{_ORIGIN} has other weights than its report says")
    if watched is not None and not is_valid(watched):
        raise NnrunError(f"{_ORIGIN} has no valid record of its network")
    return RunResult(
        record, history, weights, metadata, states["checkpoint"], states["ending"], watched=watched
    )


def pack_message(content: Progress | TrainingState, key: str) -> list[Any] | bytes:
    """A message of a run in progress, as plain data."""
    if isinstance(content, Progress):
        history = [dict(row) for row in content.history]
        return [content.iteration, content.total, content.loss, content.train_seconds, history]
    return pack_checkpoint(content, _run_id(key))


def unpack_message(content: Any, key: str) -> Progress | TrainingState | None:
    """The message in the data of `pack_message`; None if it is invalid."""
    if isinstance(content, bytes):
        try:
            return parse_checkpoint(content, _run_id(key), _ORIGIN)
        except NnrunError:
            return None
    if not isinstance(content, list) or len(content) != 5:
        return None
    iteration, total, loss, seconds, history = content
    counts = all(type(count) is int and count >= 0 for count in (iteration, total))
    numbers = (seconds, 0.0 if loss is None else loss)
    if not counts or not total or not all(type(n) in (int, float) and isfinite(n) for n in numbers):
        return None
    return Progress(iteration, total, loss, seconds, history) if is_history(history) else None


def _error(values: dict[str, Any]) -> NnrunError:
    message, traceback = (str(values[name]) for name in ("error", "traceback"))
    kind = _KINDS.get(str(values["kind"]))
    return deserialize_error(message, traceback) if kind is None else kind(message)


def _run_id(key: str) -> str:
    return key.rpartition("/")[2]


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _of(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    begin = f"{prefix}/"
    return {name.removeprefix(begin): a for name, a in arrays.items() if name.startswith(begin)}
