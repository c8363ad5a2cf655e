"""What a pool is given, and what comes back: tasks, messages, errors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from traceback import format_exception
from typing import Any, Protocol, TypeVar

from nnrun.errors import NnrunError

V = TypeVar("V")
_MOST = 8


class NoWorkersError(NnrunError):
    """No worker is left, and none will join."""


class WorkerLostError(NnrunError):
    """A worker ended before its task did, perhaps for another reason than the task."""


class LostTogetherError(WorkerLostError):
    """A worker ended that had several tasks; it is not known which of them it was working on."""


class CrashError(NnrunError):
    """A task ended by an error that nnrun did not expect; `traceback` is as Python prints it."""

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback


def serialize_error(error: Exception) -> tuple[str, str]:
    """An error as two texts: message and traceback.

    The traceback is empty for errors that nnrun raises on purpose.
    """
    if isinstance(error, NnrunError):
        return str(error), getattr(error, "traceback", "")
    if isinstance(error, MemoryError):
        return "there is not enough memory", ""
    return f"{type(error).__name__}: {error}", "".join(format_exception(error))


def deserialize_error(message: str, traceback: str) -> NnrunError:
    """The error from the texts of `serialize_error`."""
    return CrashError(message, traceback) if traceback else NnrunError(message)


@dataclass(frozen=True)
class Message:
    """A message of a task in progress.

    A text is for the user and about no single task; its key is empty. A task that waits for an
    answer goes on once `answer` is called.
    """

    key: str
    content: Any
    answer: Callable[[Any], None] | None = None


class Channel:
    """The connection between a task in progress and the process that submitted it; here to none."""

    def stopped(self) -> bool:
        """Whether the task should stop."""
        return False

    def send(self, content: Any) -> None:
        """Send a message."""

    def ask(self, content: Any) -> Any:
        """Send a message and wait for its answer; None if the task should stop."""


class Task(Protocol):
    """A piece of work for a worker; it can be pickled."""

    @property
    def key(self) -> str:
        """Names it in messages."""

    @property
    def data(self) -> str:
        """Names its data, which each worker is sent once."""

    @property
    def is_short(self) -> bool:
        """Whether it takes little time, and is a short message."""

    def run(self, channel: Channel, data: Any) -> Any:
        """Do the work in the worker, and return the result."""


class LruCache(OrderedDict[str, V]):
    """A mapping that drops the least recently used entry beyond `_MOST`."""

    def keep(self, key: str, new: V) -> V:
        """The value of this key, set to `new` if missing."""
        value = self.setdefault(key, new)
        self.move_to_end(key)
        if len(self) > _MOST:
            self.popitem(last=False)
        return value
