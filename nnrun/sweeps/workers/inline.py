"""This process as the only worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from nnrun.data.dataset import Dataset
from nnrun.pool.task import Channel, Message
from nnrun.runs.record import RunResult
from nnrun.sweeps.workers.base import Workers
from nnrun.sweeps.workers.job import Evaluations, Job, execute_job
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress


class InlineExecutor(Executor):
    """Calls functions as they are submitted, in the same thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # passed on by the future
            future.set_exception(error)
        return future


class InlineWorkers(Workers):
    """This process, one run after the other; `handle` is called with each message."""

    def __init__(self, handle: Callable[[Message], None], stopped: Callable[[], bool]) -> None:
        self._executor = InlineExecutor()
        self._handle = handle
        self._stopped = stopped

    def submit(self, job: Job, load: Callable[[], Dataset]) -> Future[RunResult | None]:
        channel = _DirectChannel(job.key, self._handle, self._stopped)
        return self._executor.submit(lambda: execute_job(job, channel, load()))

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        """Return at once: submitted runs have ended."""


@dataclass(frozen=True)
class _DirectChannel(Channel):
    key: str
    handle: Callable[[Message], None]
    stop: Callable[[], bool]

    def stopped(self) -> bool:
        return self.stop()

    def send(self, content: Progress | TrainingState | Evaluations) -> None:
        self.handle(Message(self.key, content))

    def ask(self, content: Evaluations) -> Any:
        answers: list[Any] = [None]
        self.handle(Message(self.key, content, answers.append))
        return answers[-1]
