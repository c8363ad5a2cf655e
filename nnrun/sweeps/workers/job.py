"""The work of a worker: it receives a config and returns a result."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf
from time import monotonic
from typing import Any

from threadpoolctl import threadpool_limits

from nnrun.config.load import resolved_config
from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError
from nnrun.plugins.loading import NO_PLUGINS, Shipment, receive
from nnrun.plugins.part import Source
from nnrun.pool.task import Channel
from nnrun.runs.events import Listener, now_and_then
from nnrun.runs.execution.execute import execute
from nnrun.runs.preparation.config_cache import ConfigCache
from nnrun.runs.preparation.prepare import check_rows, prepare_again
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunResult
from nnrun.runs.replicate import Replicate
from nnrun.training.state import HistoryRow, TrainingState
from nnrun.training.trainer import Progress

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
            self._channel.send(Progress(iteration, max(1, run.iterations), None, 0.0))

    def progressed(self, run: Prepared, progress: Progress) -> None:
        if monotonic() - self._shown <= _PROGRESS_SECONDS:
            return
        self._channel.send(progress.brief())
        if self._job.follows and not self.decides and len(progress.history) > self._rows:
            self._channel.send(Evaluations(progress.since(self._rows)))
            self._rows = len(progress.history)
        self._shown = monotonic()

    def evaluated(self, run: Prepared, rows: Sequence[HistoryRow]) -> bool:
        return bool(self._channel.ask(Evaluations(rows)))
