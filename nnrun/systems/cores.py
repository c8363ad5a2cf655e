"""How many processor cores there are, and how many threads a run may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(asked: int | None, jobs: int = 1) -> int:
    """The number asked for; by default the share of the cores of one of `jobs` runs at a time."""
    return max(1, cores() // jobs) if asked is None else asked
