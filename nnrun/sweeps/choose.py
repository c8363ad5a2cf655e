"""Who should train a plan: this process, several of them, or a cluster."""

from __future__ import annotations

from nnrun.data.memory import available_memory
from nnrun.runs.execution.threads import cores
from nnrun.sweeps.open_files import most_processes
from nnrun.sweeps.planning.compiling import compile_plan
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.sweep import Sweep
from nnrun.sweeps.workers.base import Workers
from nnrun.sweeps.workers.inline import InlineWorkers
from nnrun.sweeps.workers.processes import ProcessWorkers

# From the start of a process to its first iteration.
_START_SECONDS = 0.5
# What this process does for a run that another one trains: it stores the result.
_STORING_SECONDS = 0.0012
# Where runs take less, from their start to their report, one process more would only wait for this
# one, and take the core that it needs.
_SECONDS_PER_WORKER = 0.004


def workers_for(plan: Plan, jobs: int | None) -> int:
    """How many runs to train at a time.

    Args:
        plan: what to do.
        jobs: how many were asked for; None for as many as there are cores, if they help.
    """
    if not plan.variants:
        return 1
    largest = max(variant.estimate.memory for variant in plan.variants)
    fitting = max(1, available_memory() // max(1, largest))
    workers = min(jobs or cores(), len(plan), fitting, most_processes())
    if jobs is not None:
        return workers
    workers = min(workers, 1 + int(plan.seconds / len(plan) / _SECONDS_PER_WORKER))
    return workers if plan.seconds * (1 - 1 / workers) > _START_SECONDS else 1


def local_workers(sweep: Sweep, workers: int) -> Workers:
    """This process, or others of this machine; while they start, all is compiled for them."""
    plan = sweep.progress.plan
    if workers == 1 and not _is_worth_a_process(plan):
        return InlineWorkers(sweep.receive, sweep.stopping)
    try:
        processes = ProcessWorkers(workers)
    except OSError as error:
        reason = error.strerror or error
        sweep.listener.warn(f"no worker can be started ({reason}): this process trains")
        return InlineWorkers(sweep.receive, sweep.stopping)
    try:
        compile_plan(plan, sweep.datasets)
    except BaseException:
        processes.close()
        raise
    return processes


def _is_worth_a_process(plan: Plan) -> bool:
    """Whether to store results here while a single other process trains saves its start."""
    return cores() > 1 and len(plan) * _STORING_SECONDS > _START_SECONDS
