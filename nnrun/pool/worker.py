"""One worker process, as its pool sees it: the tasks that it has, and the socket to it."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from nnrun import child
from nnrun.pool.process_main import ANSWER, STOP
from nnrun.pool.task import LruCache, Task

# One thread each, so that processes do not compete for cores; read when NumPy is loaded.
_THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
_GRACE_SECONDS = 1.0
MOST_TASKS = 4
"""How many short tasks a worker may have, the one in progress included, so that it need not wait
for the next one."""

Load = Callable[[], Any]


@dataclass(frozen=True)
class Submitted:
    """A task, with a function that loads its data."""

    task: Task
    load: Load
    future: Future[Any] = field(default_factory=Future)


class Worker:
    """One process, its tasks in their order, and the client's end of the socket to it.

    One that is retiring ends its tasks, and another takes its place.
    """

    def __init__(self, module: str) -> None:
        environment = {**os.environ, **_THREADS}
        self.process, self.connection = child.start(module, environment)
        self.ready = False
        self.has_worked = False
        self.is_retiring = False
        self.tasks: deque[Submitted] = deque()
        self._known: LruCache[bool] = LruCache()

    def can_take(self, task: Task) -> bool:
        """Whether it is idle, or soon will be and can be sent the task already.

        A busy worker does not read its socket, so that a long message could block both ends.
        """
        if self.is_retiring:
            return False
        if not self.tasks:
            return self.ready
        if len(self.tasks) == MOST_TASKS or not task.is_short or task.data not in self._known:
            return False
        return all(earlier.task.is_short for earlier in self.tasks)

    def message(self, submitted: Submitted) -> bytes:
        """The message for a task: itself, and its data unless the worker has them.

        Raises: Exception if the data are missing or have changed, or memory is short.
        """
        task = submitted.task
        data = None if task.data in self._known else submitted.load()
        return pickle.dumps((task, data), pickle.HIGHEST_PROTOCOL)

    def take(self, submitted: Submitted, message: bytes) -> None:
        """Send a task.

        Raises: OSError if the worker has ended.
        """
        self.connection.send_bytes(message)
        self.tasks.append(submitted)
        self._known.keep(submitted.task.data, True)

    def stop(self) -> None:
        """Ask it to stop its tasks.

        Raises: OSError if the worker has ended.
        """
        self.connection.send_bytes(pickle.dumps(STOP))

    def answer(self, content: Any) -> None:
        """Answer the question of its task; that of one that has ended is lost."""
        with suppress(OSError):
            self.connection.send_bytes(pickle.dumps((ANSWER, content)))

    def receive(self) -> tuple[str, Any]:
        kind, content = pickle.loads(self.connection.recv_bytes())
        return kind, content

    def terminate(self) -> str:
        """End it, and return how it ended."""
        self.connection.close()
        try:
            code = self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"
