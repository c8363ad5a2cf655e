"""What this process may open besides what it has open (`ulimit -n`), and for what."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress

from nnrun.runs.storage.group_commit import MOST

# What a result holds open until it is on the disk, at most: its folder and its files.
_OF_A_RESULT = 8
# The standard streams, the index, and what is open for a moment.
_OTHERS = 16


def most_results() -> int:
    """Results that may be on their way to the disk: one group, while the next one gathers.

    They hold no more than half of what may be opened.
    """
    return max(min(2 * MOST, _room() // 2 // _OF_A_RESULT), 1)


def most_runs() -> int:
    """Runs that may be in hand, each of which holds a lock on its folder."""
    return max(2 * _left() // 3, 1)


def most_processes() -> int:
    """Worker processes that there may be, each at the other end of a socket."""
    return max(_left() // 3 - _OTHERS, 1)


def _left() -> int:
    return _room() - _OF_A_RESULT * most_results()


def _room() -> int:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return sys.maxsize
    with suppress(OSError):  # not every system tells
        allowed -= len(os.listdir("/dev/fd"))
    return allowed
