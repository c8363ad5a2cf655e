"""What a worker does, wherever it is: a config comes in, a run's result goes out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf
from time import monotonic
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from nnrun.config.load import config_from_dict
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.lifecycle import execute, now_and_then
from nnrun.runs.preparation.config_cache import ConfigCache
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.record import RunResult
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

_PROGRESS_SECONDS = 0.25
# What a worker may be sent while it is busy: runs that last no longer, with configs of no more
# characters.
_SHORT_SECONDS = 0.05
_SHORT_CONFIG = 1 << 14


@dataclass(frozen=True)
class Job:
    """One run, as it is sent out.

    Args:
        key: tells it from the others.
        config: resolved, as JSON; its seed is not that of the run.
        seed: that of the run.
        run_id: what the worker must find the run to be.
        data: what tells its data from all other.
        checkpoint: where to go on.
        threads: how many it may use.
        seconds: that it is estimated to take.
    """

    key: str
    config: str
    seed: int
    run_id: str
    data: str
    checkpoint: TrainingState | None = None
    threads: int = 1
    seconds: float = inf

    @property
    def is_short(self) -> bool:
        """Whether it will soon be over, and is no long message either."""
        message = self.checkpoint is None and len(self.config) <= _SHORT_CONFIG
        return message and self.seconds <= _SHORT_SECONDS


class Channel(Protocol):
    """How a run in progress and the sweep's client hear of each other."""

    def stopped(self) -> bool:
        """Whether to end here."""

    def progress(self, progress: Progress) -> None:
        """Tell how far it is."""

    def checkpoint(self, state: TrainingState) -> None:
        """Hand over where to go on, should this worker be lost."""


def execute_job(job: Job, channel: Channel, dataset: Dataset) -> RunResult | None:
    """Train a run; None if the sweep was stopped before it began.

    Args:
        job: the run.
        channel: to the client.
        dataset: its data, as the client has it.

    Raises:
        NnrunError: to this process, it would be another run.
    """
    if channel.stopped():
        return None
    config = config_of(job.config).model_copy(update={"seed": job.seed})
    prepared = prepare_again(config, dataset, _cache_of(job.config, job.data))
    if prepared.run_id != job.run_id:
        raise NnrunError(f"this worker's nnrun makes it {prepared.run_id}: versions differ")
    return execute(prepared, job.checkpoint, _control(channel, job.threads))


@cache
def limit_threads() -> Any:
    """One thread for BLAS, once and for all, in a process that may have several runs in progress.

    Each run sets such a limit for itself, too; but the first to end would lift that of the others.
    """
    return threadpool_limits(1, user_api="blas")


@lru_cache(maxsize=64)
def config_of(text: str) -> ExperimentConfig:
    """The config of a job or a variant, read once for all its seeds."""
    return config_from_dict(json.loads(text))


@lru_cache(maxsize=64)
def _cache_of(config: str, data: str) -> ConfigCache:
    """The cache shared by all seeds of a config on these data."""
    return ConfigCache()


def _control(channel: Channel, threads: int) -> Callbacks:
    shown = monotonic()

    def observe(progress: Progress) -> None:
        nonlocal shown
        if monotonic() - shown > _PROGRESS_SECONDS:
            channel.progress(progress)
            shown = monotonic()

    return Callbacks(
        observe=observe,
        stop=channel.stopped,
        checkpoint=now_and_then(channel.checkpoint),
        threads=threads,
    )
