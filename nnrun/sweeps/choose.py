"""Who should train a plan: this process, several of them, or a cluster."""

from __future__ import annotations

import os

from nnrun.data.memory import available_memory
from nnrun.sweeps.crew import Crew, InlineCrew
from nnrun.sweeps.local import LocalCrew
from nnrun.sweeps.plan import Plan
from nnrun.sweeps.sweep import Sweep

# From the start of a process to its first iteration.
_START_SECONDS = 0.5


def workers_for(plan: Plan, jobs: int | None) -> int:
    """How many processes are worth while; 1 stands for this process alone.

    Args:
        plan: what to do.
        jobs: how many were asked for; None for as many as there are cores, if they help.
    """
    if not plan.points:
        return 1
    largest = max(point.estimate.memory for point in plan.points)
    fitting = max(1, available_memory() // max(1, largest))
    workers = min(jobs or len(os.sched_getaffinity(0)), len(plan), fitting)
    saved = plan.seconds * (1 - 1 / workers)
    return workers if jobs is not None or saved > _START_SECONDS else 1


def local_crew(sweep: Sweep, workers: int) -> Crew:
    """This process, or several."""
    if workers == 1:
        return InlineCrew(sweep.hear, sweep.stopping)
    return LocalCrew(workers)
