"""Group commit: results that are saved within milliseconds are forced to the disk together.

Short runs would otherwise wait for the disk once for each file, and compete with the thread that
trains the next run: a sweep of 300 runs of 500 iterations takes 13% more CPU time and a quarter
more time if each is committed alone; with groups of what comes during the last commit, 11% more CPU
time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from math import inf
from threading import Event, Lock
from time import monotonic
from typing import Any, TypeVar

from nnrun.runs.storage.staged import Staged, commit
from nnrun.systems import system

# The first result of a group waits this long, or until the group has this many. It does not wait if
# the last result is longer ago than that.
_SECONDS = 0.02
MOST = 16
V = TypeVar("V")


class GroupCommit:
    """Commits staged files in a background thread, in order."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._full = Event()
        self._last = -inf
        self._group: list[tuple[Staged, Future[Any], Callable[[], Any]]] = []

    def add(self, staged: Staged, then: Callable[[], V]) -> Future[V]:
        """Commit files soon.

        The future has the value of `then`, which is called once they are on the disk; or the error.
        """
        future: Future[V] = Future()
        with self._lock:
            self._group.append((staged, future, then))
            rare, self._last = monotonic() - self._last > _SECONDS, monotonic()
            if rare or len(self._group) == MOST:
                self._full.set()
            first = len(self._group) == 1
        if first:
            try:
                _thread().submit(self._commit)
            except RuntimeError:  # no more threads can be started
                self._full.set()
                self._commit()
        return future

    def hurry(self) -> None:
        """Commit the group now, without waiting for more."""
        with self._lock:
            if self._group:
                self._full.set()

    def _commit(self) -> None:
        self._full.wait(_SECONDS)
        with self._lock:
            group, self._group = self._group, []
            self._full.clear()
        unforeseen: BaseException | None = None
        try:
            commit([staged for staged, _, _ in group])
        except BaseException as error:  # it must reach the futures
            unforeseen = error
        for staged, future, then in group:
            try:
                if unforeseen is not None:
                    raise unforeseen
                staged.conclude()
                future.set_result(then())
            except BaseException as error:  # passed on by the future
                future.set_exception(error)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "commit")


system.after_fork(_thread.cache_clear)
