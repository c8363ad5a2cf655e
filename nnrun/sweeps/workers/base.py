"""The interface between a sweep and its workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from traceback import format_exception
from typing import Any, Protocol

from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError
from nnrun.runs.record import RunResult
from nnrun.sweeps.workers.job import Job
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

# Seconds that runs have to stop. Those that need longer are given up, with their last checkpoint.
PATIENCE = 3.5


class WorkerLostError(NnrunError):
    """A worker ended before its run did, perhaps for another reason than the run."""


class CrashError(NnrunError):
    """A run ended by an error that nnrun did not expect.

    Args:
        message: the error, in a sentence.
        traceback: as Python prints it.
    """

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback


def serialize_error(error: Exception) -> tuple[str, str]:
    """An error of a worker as two texts: message and traceback.

    The traceback is empty for errors that nnrun raises on purpose.
    """
    if isinstance(error, NnrunError):
        return str(error), ""
    if isinstance(error, MemoryError):
        return "there is not enough memory", ""
    return f"{type(error).__name__}: {error}", "".join(format_exception(error))


def deserialize_error(message: str, traceback: str) -> NnrunError:
    """The error from the texts of `serialize_error`."""
    return CrashError(message, traceback) if traceback else NnrunError(message)


@dataclass(frozen=True)
class Message:
    """A message from a run in progress: its progress, or a checkpoint.

    A text is for the user and about no single run; its key is empty.
    """

    key: str
    content: Progress | TrainingState | str


class Workers(Protocol):
    """Workers of one kind.

    `lost` are the errors of futures whose worker was lost; `patience` is how many seconds runs have
    to stop before they are given up.
    """

    lost: tuple[type[BaseException], ...]
    patience: float

    @property
    def at_a_time(self) -> int:
        """How many runs are trained at the same time."""

    @property
    def capacity(self) -> int:
        """How many runs to submit at the same time: more than are trained, so none waits."""

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        """Submit a run; `load` returns its data."""

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        """Wait for the first of these futures, or for so many seconds."""

    def messages(self) -> list[Message]:
        """The messages of runs since the last call."""

    def check(self) -> None:
        """Raise an error if no worker is left."""

    def renew(self) -> None:
        """Send data out again, since workers that had it may be lost."""

    def stop(self) -> None:
        """Ask all runs to stop; those that have not begun return None."""

    def close(self) -> None:
        """End all workers at once."""


def wait_for_first(awaited: Sequence[Future[Any]], seconds: float) -> None:
    """Wait for futures that other threads complete."""
    wait(awaited, seconds, FIRST_COMPLETED)
