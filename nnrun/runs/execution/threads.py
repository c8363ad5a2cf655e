"""How many threads a run may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(asked: int | None, jobs: int = 1) -> int:
    """The number asked for; by default the run's share of the cores.

    Args:
        asked: None for the default.
        jobs: how many runs are trained at the same time.
    """
    return max(1, cores() // jobs) if asked is None else asked
