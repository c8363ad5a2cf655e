"""The choice of workers for a plan: this process or several others, and the code that they need."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from nnrun.config.load import config_from_dict
from nnrun.data.memory import available_memory
from nnrun.engines.selection import compile_ahead
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.sweep import Sweep
from nnrun.sweeps.workers.base import Workers, most_processes
from nnrun.sweeps.workers.inline import InlineWorkers
from nnrun.sweeps.workers.processes import ProcessWorkers
from nnrun.systems.cores import cores

# From the start of a worker process to its first iteration.
_START_SECONDS = 0.5
# What another worker must save. By 90 runs of 19 ms, where a second one saves 0.86 s, two workers
# took a third longer than one on two busy cores, and 46% more processor time.
_SAVED_SECONDS = 1.0
# For this process to store the result of a run.
_STORING_SECONDS = 0.0012
# For shorter runs, another worker would only wait for this process, which stores the results, and
# compete for its core. By runs of 6.3 ms two workers took 20% longer than one on two busy cores,
# and 24% more processor time; from where on they pay was not measured more closely.
_SECONDS_PER_WORKER = 0.0065


def workers_for(plan: Plan, jobs: int | None) -> int:
    """The number of runs to train at a time: `jobs`, or by default as many as the cores, if that
    saves time.
    """
    if not len(plan):
        return 1
    largest = plan.memory
    fitting = max(1, available_memory() // max(1, largest))
    workers = min(jobs or cores(), len(plan), fitting, most_processes())
    if jobs is not None:
        return workers
    workers = min(workers, 1 + int(plan.seconds / len(plan) / _SECONDS_PER_WORKER))
    return workers if plan.seconds * (1 - 1 / workers) > _SAVED_SECONDS else 1


def local_workers(sweep: Sweep, workers: int) -> Workers:
    """This process or others on this machine; while they start, this one compiles their code."""
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
        compile_first(plan, sweep.datasets, workers)
    except BaseException:
        processes.close()
        raise
    return processes


def _is_worth_a_process(plan: Plan) -> bool:
    """Whether it saves time to train in one other process, while this one stores results."""
    return cores() > 1 and len(plan) * _STORING_SECONDS > _START_SECONDS


# The parts of a config that the compiled code depends on.
_BLOCKS = ("network", "loss")
_KEYS = (
    *("optimizer", "clip_norm", "batch_size", "dtype", "engine", "iterations", "epochs"),
    "class_weight",
)


def code_key(config: dict[str, Any], data: str) -> str:
    """The parts of a resolved config that its compiled code depends on, and the key of its data."""
    parts = [config[block] for block in _BLOCKS] + [config["training"][key] for key in _KEYS]
    return json.dumps([data, *parts])


def compile_first(plan: Plan, datasets: Datasets, workers: int) -> None:
    """Compile the code of the first runs into the cache, of as many settings as there are workers.

    Otherwise, several workers would compile the same code at the same time: the first eight runs of
    digits_arch2 take 14% more CPU time then by two workers. All other code is compiled by the first
    run that needs it, while other workers train or compile other code.
    """
    compiled = set()
    for variant in islice(plan.firsts(), workers):
        content = json.loads(variant.config)
        if "network" not in content:  # a model of scikit-learn
            continue
        code = code_key(content, variant.data)
        if code not in compiled:
            compiled.add(code)
            config = config_from_dict(content)
            prepared = prepare_again(config, datasets.load(config.dataset))
            training = config.training
            compile_ahead(
                prepared.engine,
                prepared.network,
                training.optimizer.build(),
                clip_norm=training.clip_norm,
                batch_size=training.batch_size,
            )
