"""The one pool of worker processes on this machine, for sweeps and for verification."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from selectors import EVENT_READ, DefaultSelector
from threading import Thread
from traceback import format_exception
from typing import Any, Protocol, TypeVar

from nnrun import child
from nnrun.errors import NnrunError
from nnrun.systems import system

# What a pool is given, and what comes back: tasks, messages, errors.

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


# Worker processes on this machine.
#
# Every worker has a socket of its own, so that only its own task is lost when it is killed. The
# thread that waits for results serves all of them.

# The main loop of a worker process: tasks come in over a socket, results go back over it.
#
# The worker exits at once when the socket closes, so that no worker outlives its parent.

STOP, RETIRE, QUESTION, ANSWER = "stop", "retire", "question", "answer"


class _SocketChannel(Channel):
    """The worker's end of the socket; also the channel of the task in progress."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._has_more = system.arrivals(connection.fileno())
        self._stopped = False
        # Each task with its data, or None if they were sent before.
        self._tasks: deque[tuple[Task, Any]] = deque()
        self._answers: deque[Any] = deque()

    def next_task(self) -> tuple[Task, Any]:
        """Wait for the next task.

        Raises: EOFError if the parent has ended.
        """
        while not self._tasks:
            self._receive()
        return self._tasks.popleft()

    def stopped(self) -> bool:
        while not self._stopped and self._has_more():
            self._receive()
        return self._stopped

    def send(self, content: Any) -> None:
        self._connection.send_bytes(_packed("message", content))

    def ask(self, content: Any) -> Any:
        self._connection.send_bytes(_packed(QUESTION, content))
        while not self._answers and not self._stopped:
            self._receive()
        return self._answers.popleft() if self._answers else None

    def _receive(self) -> None:
        message = pickle.loads(self._connection.recv_bytes())
        if message == STOP:
            self._stopped = True
        elif message[0] == ANSWER:
            self._answers.append(message[1])
        else:
            self._tasks.append(message)


def main(word: str, retires: Callable[[], bool] = lambda: False) -> None:
    """Work until the socket closes; `retires` returns whether another should take its place."""
    system.ignore_signals()
    descriptor = system.receive_socket(word)
    try:
        Thread(target=end_at_hangup, args=(descriptor,), daemon=True).start()
    except RuntimeError as error:  # without that thread it might outlive its parent
        sys.exit(f"a worker ends: {error}")
    connection = Connection(descriptor)
    channel = _SocketChannel(connection)
    known: LruCache[Any] = LruCache()
    gc.freeze()  # collecting all modules takes as long as tens of short runs
    gc.enable()
    try:
        connection.send_bytes(_packed("ready", None))
        while True:
            task, data = channel.next_task()
            answer = _answer(task, channel, known.keep(task.data, data))
            if retires():
                connection.send_bytes(_packed(RETIRE, None))
            connection.send_bytes(answer)
    except (EOFError, OSError):
        os._exit(0)


def _answer(task: Task, channel: Channel, data: Any) -> bytes:
    try:
        return _packed("result", task.run(channel, data))
    except Exception as error:  # the parent reports it
        return _packed("error", serialize_error(error))


def _packed(kind: str, content: Any) -> bytes:
    return pickle.dumps((kind, content), pickle.HIGHEST_PROTOCOL)


def end_at_hangup(descriptor: int) -> None:
    """End this process when the other end of the socket is closed."""
    system.wait_for_hangup(descriptor)
    os._exit(0)


# One worker process, as its pool sees it: the tasks that it has, and the socket to it.

# One thread each, so that processes do not compete for cores; read when NumPy is loaded.
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
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
        environment = {**os.environ, **ONE_THREAD}
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


# After this many processes in a row that did not start, or ended before a task, no more are tried.
_MOST_MISSTARTS = 3


class ProcessPool:
    """Worker processes. The first starts at once, others when there are tasks for them.

    Args:
        workers: how many.
        module: its `main` is that of `process_main`, and it imports what tasks need.

    Raises: OSError if not even one can be started.
    """

    def __init__(self, workers: int, module: str) -> None:
        self.at_a_time = workers
        self._module = module
        self._workers: list[Worker] = []
        self._waiting: deque[Submitted] = deque()
        self._submitted = 0
        self._ahead = 2
        self._stopped = False
        self._messages: list[Message] = []
        self._misstarts = 0
        self._misstart_reason = ""
        first = Worker(module)
        self._selector = DefaultSelector()
        self._add(first)

    @property
    def capacity(self) -> int:
        """How many tasks to submit at the same time, so that no worker waits."""
        return self._ahead * self.at_a_time

    def submit(self, task: Task, load: Load) -> Future[Any]:
        """Submit a task; `load` returns its data.

        A future ends with None if it was stopped before it began, and with a `WorkerLostError` if
        its worker ended.
        """
        submitted = Submitted(task, load)
        self._waiting.append(submitted)
        self._submitted += 1
        self._ahead = MOST_TASKS if task.is_short else 2
        self._start_lacking()
        self._hand_out()
        return submitted.future

    def wait(self, awaited: Sequence[Future[Any]], seconds: float) -> None:
        """Wait for the first of these futures, or for this many seconds."""
        self._receive(0.0 if any(future.done() for future in awaited) else seconds)
        for worker in [each for each in self._workers if each.is_retiring and not each.tasks]:
            self._remove(worker)
        self._start_lacking()
        self._hand_out()

    def messages(self) -> list[Message]:
        """The messages of tasks since the last call."""
        taken, self._messages = self._messages, []
        return taken

    def check(self) -> None:
        """Raise an error if no worker is left."""
        if self._waiting and not self._workers and self._misstarts >= _MOST_MISSTARTS:
            raise NoWorkersError(f"no worker can be started: {self._misstart_reason}")

    def stop(self) -> None:
        """Ask all tasks to stop; those that have not begun return None."""
        self._stopped = True
        self._give_back_waiting()
        for worker in self._workers:
            with suppress(OSError):
                worker.stop()

    def close(self) -> None:
        """End all workers at once."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.terminate()
        self._workers.clear()
        self._selector.close()

    def _give_back_waiting(self) -> None:
        while self._waiting:
            self._waiting.popleft().future.set_result(None)

    def _start_lacking(self) -> None:
        """Start a process for each task so far, up to the number of workers."""
        wanted = min(self._submitted, self.at_a_time)
        while self._waiting and len(self._workers) < wanted and self._misstarts < _MOST_MISSTARTS:
            try:
                self._add(Worker(self._module))
            except OSError as error:
                self._note_misstart(error.strerror or str(error))
                break

    def _add(self, worker: Worker) -> None:
        self._workers.append(worker)
        self._selector.register(worker.connection, EVENT_READ, worker)

    def _remove(self, worker: Worker) -> str:
        """End a worker, and return how it ended."""
        self._workers.remove(worker)
        self._selector.unregister(worker.connection)
        return worker.terminate()

    def _note_misstart(self, reason: str) -> None:
        """Count a worker that did not start; after several, continue with those there are."""
        self._misstarts += 1
        self._misstart_reason = reason
        if self._misstarts >= _MOST_MISSTARTS and 0 < len(self._workers) < self.at_a_time:
            number = f"{len(self._workers)} of {self.at_a_time}"
            self._messages.append(Message("", f"only {number} workers can be started: {reason}"))
            self.at_a_time, self._misstarts = len(self._workers), 0

    def _hand_out(self) -> None:
        """Send tasks to the workers that can take them, those with the fewest first."""
        while self._waiting:
            task = self._waiting[0].task
            free = [worker for worker in self._workers if worker.can_take(task)]
            if not free:
                break
            worker, submitted = min(free, key=lambda w: len(w.tasks)), self._waiting.popleft()
            try:
                message = worker.message(submitted)
            except Exception as error:  # only this task fails
                submitted.future.set_exception(deserialize_error(*serialize_error(error)))
                continue
            try:
                worker.take(submitted, message)
            except OSError:
                self._waiting.appendleft(submitted)
                self._lose(worker)

    def _receive(self, seconds: float) -> None:
        """Wait for messages of the workers, and read them."""
        for key, _ in self._selector.select(seconds):
            try:
                self._read(key.data)
            except (EOFError, OSError):
                self._lose(key.data)

    def _read(self, worker: Worker) -> None:
        """Read the next message of a worker.

        Raises: EOFError, OSError if the worker has ended.
        """
        kind, content = worker.receive()
        if kind == "ready":
            worker.ready = True
        elif kind == RETIRE:
            worker.is_retiring = True
        elif kind not in ("result", "error"):
            answer = worker.answer if kind == QUESTION else None
            self._messages.append(Message(worker.tasks[0].task.key, content, answer))
        else:
            worker.has_worked, self._misstarts = True, 0
            future = worker.tasks.popleft().future
            if kind == "result":
                future.set_result(content)
            else:
                future.set_exception(deserialize_error(*content))

    def _lose(self, worker: Worker) -> None:
        """Fail the task that a worker had in progress, and give its other tasks to others.

        Its last messages are read first: a task that it had finished is not lost.
        """
        has_more = system.arrivals(worker.connection.fileno())
        with suppress(EOFError, OSError):
            while has_more():
                self._read(worker)
        how = self._remove(worker)
        if worker.tasks:
            lost = WorkerLostError(f"its worker ended {how}")
            worker.tasks.popleft().future.set_exception(lost)
        elif not worker.has_worked:
            self._note_misstart(f"the last one ended {how}")
        self._waiting.extendleft(reversed(worker.tasks))
        if self._stopped:
            self._give_back_waiting()
