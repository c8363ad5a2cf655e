"""Results that come soon after one another, forced to the disk together.

Runs may last milliseconds. Each for itself would wait for the disk, and take turns with the thread
that trains the next one, as often as it has files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from math import inf
from threading import Event, Lock
from time import monotonic
from typing import Any, TypeVar

from nnrun.runs.storage.staged import Staged, commit

# The first of a group waits so long for others, or until there are so many; not at all where it
# was that long since the last result.
_SECONDS = 0.02
MOST = 16
V = TypeVar("V")


class GroupCommit:
    """Commits what was staged in the background, in the order in which it came."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._full = Event()
        self._last = -inf
        self._group: list[tuple[Staged, Future[Any], Callable[[], Any]]] = []

    def add(self, staged: Staged, then: Callable[[], V]) -> Future[V]:
        """Have files committed soon.

        Args:
            staged: the files.
            then: has the last word, once they are on the disk.

        Returns:
            What `then` gives; the error, where they could not be committed.
        """
        future: Future[V] = Future()
        alone = False
        with self._lock:
            self._group.append((staged, future, then))
            rare, self._last = monotonic() - self._last > _SECONDS, monotonic()
            if rare or len(self._group) == MOST:
                self._full.set()
            if len(self._group) == 1:
                try:
                    _thread().submit(self._commit)
                except RuntimeError:  # there may be no more threads
                    alone = True
                    self._full.set()
        if alone:
            self._commit()
        return future

    def hurry(self) -> None:
        """Wait for no more: commit what there is."""
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
        except BaseException as error:  # nobody may wait for ever
            unforeseen = error
        for staged, future, then in group:
            try:
                if (failure := unforeseen or staged.error) is not None:
                    raise failure
                future.set_result(then())
            except BaseException as error:  # it belongs to the future
                future.set_exception(error)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "commit")


# A process that was forked has none of its parent's threads.
os.register_at_fork(after_in_child=_thread.cache_clear)
