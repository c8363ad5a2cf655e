"""What a sweep has to know of its workers: an executor, and messages from runs in progress."""

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

# Runs come back within one stretch of updates; whoever needs longer is left behind with the
# checkpoint it has.
PATIENCE = 3.5


class WorkerLostError(NnrunError):
    """A worker ended before the run it had in progress; the run itself may be blameless."""


class CrashError(NnrunError):
    """A run ended by an error that nobody foresaw.

    Args:
        message: the error in a sentence.
        traceback: where it came from, as Python prints it.
    """

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback


def serialize_error(error: Exception) -> tuple[str, str]:
    """An error in a worker as texts, which the client makes one of: its sentence and traceback.

    Errors that nnrun raises on purpose have no traceback that is worth telling.
    """
    if isinstance(error, NnrunError):
        return str(error), ""
    if isinstance(error, MemoryError):
        return "there is not enough memory", ""
    return f"{type(error).__name__}: {error}", "".join(format_exception(error))


def deserialize_error(message: str, traceback: str) -> NnrunError:
    """What `told` was told, as an error."""
    return CrashError(message, traceback) if traceback else NnrunError(message)


@dataclass(frozen=True)
class Message:
    """What a run in progress has told: how far it is, or where to go on from.

    A text is not about one run but for people; its key is empty.
    """

    key: str
    content: Progress | TrainingState | str


class Workers(Protocol):
    """Workers of one kind.

    `lost` are the errors by which a future says that its worker was lost; `patience` is how many
    seconds runs that are asked to stop have to come back, before they are left behind.
    """

    lost: tuple[type[BaseException], ...]
    patience: float

    @property
    def at_a_time(self) -> int:
        """How many runs are trained at a time."""

    @property
    def capacity(self) -> int:
        """How many runs to submit at a time: some more than are trained, so that none waits."""

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        """Submit a run; `load` has its data, for workers that cannot load it themselves."""

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        """Wait so long, or until what is awaited first has come."""

    def messages(self) -> list[Message]:
        """What the runs have told since the last call."""

    def check(self) -> None:
        """Raise an error if there is nobody left to work."""

    def renew(self) -> None:
        """Send data out anew, since those that had it may be lost."""

    def stop(self) -> None:
        """Ask all runs to end where they are; those that have not begun return None."""

    def close(self) -> None:
        """End all workers, whatever they do."""


def wait_for_first(awaited: Sequence[Future[Any]], seconds: float) -> None:
    """Wait for futures that other threads complete."""
    wait(awaited, seconds, FIRST_COMPLETED)
