"""What this process may have open at once (`ulimit -n`), and for what."""

from __future__ import annotations

import resource
import sys

# Results that are forced to the disk together, at most.
GROUP = 16
# What one holds open until then, at most: its folder and its files.
_OF_A_RESULT = 8
# The standard streams, the index, and what is open for a moment.
_OTHERS = 16


def most_results() -> int:
    """Results that may be on their way to the disk: one group, while the next one gathers.

    They hold no more than half of what may be open.
    """
    return max(min(2 * GROUP, _allowed() // 2 // _OF_A_RESULT), 1)


def most_runs() -> int:
    """Runs that may be in hand, each of which holds a lock on its folder."""
    return max(2 * _left() // 3, 1)


def most_processes() -> int:
    """Worker processes that there may be, each at the other end of a socket."""
    return max(_left() // 3 - _OTHERS, 1)


def _left() -> int:
    return _allowed() - _OF_A_RESULT * most_results()


def _allowed() -> int:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if allowed == resource.RLIM_INFINITY else allowed
