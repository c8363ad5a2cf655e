"""How many files this process may still open, divided among their uses."""

from __future__ import annotations

from nnrun.runs.storage.durable.group_commit import MOST
from nnrun.systems import system

# The most files that a result keeps open until it is on the disk.
_OF_A_RESULT = 8
# The standard streams, the index, and files opened briefly.
_OTHERS = 16


def most_results() -> int:
    """The most results being stored at a time: one group while the next one is collected.

    They use at most half of the files that may be opened.
    """
    return max(min(2 * MOST, system.files_allowed() // 2 // _OF_A_RESULT), 1)


def most_runs() -> int:
    """The most runs in progress; each holds a lock on its folder."""
    return max(2 * _left() // 3, 1)


def most_processes() -> int:
    """The most worker processes; each needs a socket."""
    return max(_left() // 3 - _OTHERS, 1)


def _left() -> int:
    return system.files_allowed() - _OF_A_RESULT * most_results()
