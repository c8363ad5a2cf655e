"""How many threads a run may use."""

from __future__ import annotations

from nnrun.systems.cores import cores


def threads_for(asked: int | None, jobs: int = 1) -> int:
    """The number asked for; by default the share of the cores of one of `jobs` runs at a time."""
    return max(1, cores() // jobs) if asked is None else asked
