"""The main loop of a worker process: tasks come in over a socket, results go back over it.

The worker exits at once when the socket closes, so that no worker outlives its parent.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from nnrun.pool.task import Channel, LruCache, Task, serialize_error
from nnrun.systems import system

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
        Thread(target=_watch, args=(descriptor,), daemon=True).start()
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


def _watch(descriptor: int) -> None:
    """End this process when the other end of the socket is closed."""
    system.wait_for_hangup(descriptor)
    os._exit(0)
