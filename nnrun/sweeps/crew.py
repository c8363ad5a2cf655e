"""Those who do the work: an executor, and what a sweep has to know of it besides."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError
from nnrun.runs.record import RunResult
from nnrun.sweeps.work import Channel, Job, work
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

# Runs come back within one stretch of updates; whoever needs longer is left behind with the
# checkpoint it has.
PATIENCE = 3.5


class WorkerLostError(NnrunError):
    """A worker ended before the run it had in hand; the run itself may be blameless."""


@dataclass(frozen=True)
class Message:
    """What a run in progress has told: how far it is, or where to go on from.

    A text is not about one run but for people; its key is empty.
    """

    key: str
    content: Progress | TrainingState | str


class Crew(Protocol):
    """Workers of one kind.

    `lost` are the errors by which a future says that its worker was lost; `patience` is how many
    seconds runs that are asked to stop have to come back, before they are left behind.
    """

    lost: tuple[type[BaseException], ...]
    patience: float

    @property
    def capacity(self) -> int:
        """How many runs to give out at a time: some more than are trained, so that none waits."""

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        """Give out a run; `load` has its data, for workers that cannot load it themselves."""

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


class Mailbox:
    """Messages on their way to the sweep's own thread."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message] = SimpleQueue()

    def put(self, key: str, content: Progress | TrainingState | str) -> None:
        """From any thread."""
        self._queue.put(Message(key, content))

    def take(self) -> list[Message]:
        """All there are, oldest first."""
        taken = []
        try:
            while True:
                taken.append(self._queue.get_nowait())
        except Empty:
            return taken


class InlineExecutor(Executor):
    """Calls functions as they are submitted, in the same thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # it belongs to the future
            future.set_exception(error)
        return future


class InlineCrew:
    """This process, one run after the other.

    Args:
        handle: takes what the runs tell, at once.
        stopped: is asked whether to stop.
    """

    lost: tuple[type[BaseException], ...] = ()
    patience = PATIENCE
    capacity = 1

    def __init__(self, handle: Callable[[Message], None], stopped: Callable[[], bool]) -> None:
        self._executor = InlineExecutor()
        self._handle = handle
        self._stopped = stopped

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        channel = _Direct(job.key, self._handle, self._stopped)
        return self._executor.submit(lambda: work(job, channel, load()))

    def messages(self) -> list[Message]:
        return []

    def check(self) -> None:
        pass

    def renew(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class _Direct(Channel):
    key: str
    handle: Callable[[Message], None]
    stop: Callable[[], bool]

    def stopped(self) -> bool:
        return self.stop()

    def progress(self, progress: Progress) -> None:
        self.handle(Message(self.key, progress))

    def checkpoint(self, state: TrainingState) -> None:
        self.handle(Message(self.key, state))
