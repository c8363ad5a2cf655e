"""Files and folders that are being written, which are removed if that comes to no end.

An error removes them as it passes, and so does the first signal, which is raised as an error. A
second signal ends the process on the spot: `undo_all` removes them before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Undo = Callable[[], object]
_pending: list[Undo] = []


def begin(undo: Undo) -> None:
    """Call `undo` if the process is ended before `end`; it may be called twice."""
    _pending.append(undo)


def end(undo: Undo) -> None:
    """Forget what undoes work that has ended."""
    with suppress(ValueError):  # `undo_all` was called
        _pending.remove(undo)


@contextmanager
def undone_on_failure(undo: Undo) -> Iterator[None]:
    """Call `undo` if the block fails, or the process is ended within it.

    What the block makes has its name before: a signal may come as soon as it is made.
    """
    begin(undo)
    try:
        yield
    except BaseException:
        undo()
        end(undo)  # not if a signal has cut it short
        raise
    end(undo)


def undo_all() -> None:
    """Undo all work that has not ended, the last first."""
    while _pending:
        with suppress(Exception):  # the others are undone in any case
            _pending.pop()()
