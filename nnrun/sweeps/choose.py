"""Who should train a plan: this process, several of them, or a cluster."""

from __future__ import annotations

import os

from nnrun.data.memory import available_memory
from nnrun.sweeps.plan import Plan
from nnrun.sweeps.sweep import Sweep
from nnrun.sweeps.workers.base import Workers
from nnrun.sweeps.workers.inline import InlineWorkers
from nnrun.sweeps.workers.processes import ProcessWorkers

# From the start of a process to its first iteration.
_START_SECONDS = 0.5


def workers_for(plan: Plan, jobs: int | None) -> int:
    """How many processes are worth while; 1 stands for this process alone.

    Args:
        plan: what to do.
        jobs: how many were asked for; None for as many as there are cores, if they help.
    """
    if not plan.variants:
        return 1
    largest = max(variant.estimate.memory for variant in plan.variants)
    fitting = max(1, available_memory() // max(1, largest))
    workers = min(jobs or len(os.sched_getaffinity(0)), len(plan), fitting)
    saved = plan.seconds * (1 - 1 / workers)
    return workers if jobs is not None or saved > _START_SECONDS else 1


def local_workers(sweep: Sweep, workers: int) -> Workers:
    """This process, or several."""
    if workers == 1:
        return InlineWorkers(sweep.receive, sweep.stopping)
    return ProcessWorkers(workers)
