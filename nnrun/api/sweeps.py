"""Sweeps: many configs with many seeds, on any executor."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnrun.api.board import Board
from nnrun.api.experiments import Evaluation, EvaluationCallback, OnEvaluation, sending, stderr_for
from nnrun.api.values import FROM_DATA, Config, Path_, Plugins, at_least_one, explained
from nnrun.config.files import config_files
from nnrun.config.load import Origin
from nnrun.config.overrides import format_grid
from nnrun.config.yaml.source_map import plain
from nnrun.data.splits import GivenData
from nnrun.errors import UsageError
from nnrun.reports.leaderboard_files import leaderboard_files
from nnrun.reports.live.runs import Runs
from nnrun.reports.run import report_markdown
from nnrun.reports.shown import shown
from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.events import Listener, Listeners
from nnrun.runs.storage.store import Store
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.rows import with_margin
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.grid import models_of
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Sweep, local_workers, workers_for
from nnrun.sweeps.workers.base import ExecutorWorkers, Workers
from nnrun.systems.cores import threads_for


@explained
def sweep(
    configs: Config | Sequence[Config],
    overrides: Mapping[str, Any] | None = None,
    *,
    data: Any = None,
    seeds: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None = None,
    iterations: int | None = None,
    executor: Executor | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    results: Path_ | None = "results",
    force: bool = False,
    fail_fast: bool = False,
    order_by: str | None = None,
    margin: float | None = None,
    beside: Sequence[str] | None = None,
    progress: bool | None = None,
    on_evaluation: OnEvaluation | None = None,
    mlflow: str | None = None,
    tensorboard: Path_ | None = None,
    listener: Listener | None = None,
    plugins: Plugins = (),
) -> Board:
    """Train configs × grid × seeds, except for complete runs, and compare them.

    Args:
        configs: one or several YAML files, folders of them, or dictionaries with the content of
            such files.
        overrides: values by their dotted keys; a list of values spans a grid, such as
            `{"training.learning_rate": [0.1, 0.01]}`. A value that is itself a list is put into
            another list.
        data: in place of the files of all configs: a table of pandas, polars or pyarrow, or arrays
            as `(x, y)`; runs know it by its content, and workers are sent it.
        seeds: how many seeds of each config, counted from its seed; or a list of seeds; or
            `{"split": 5, "weights": 4}` to cross seeds of the split with those of all else.
        iterations: replaces the configs' iterations or epochs.
        executor: any executor of `concurrent.futures`, or a client of Dask; the caller shuts it
            down.
        jobs: how many runs to train at the same time: without an executor, the number of processes,
            by default one for each core, if that saves time; with one, its number of workers.
        threads: how many each run may use; by default its share of the cores, and one with an
            executor. No bit depends on it.
        results: the results folder; None to keep only the leaderboard.
        force: train runs that are complete or damaged again.
        fail_fast: stop at the first run that fails.
        order_by: the metric that rows are ordered by; by default accuracy or mse, or what the
            configs say.
        margin: a difference that does not matter, in the units of the metric; the board says which
            rows are as good as the best to within it, and which of these is the cheapest.
        beside: models of scikit-learn to train on the same splits and seeds: linear, neighbors,
            forest, boosting, mlp; by default those of `sweep.beside` in the configs.
        progress: whether to show progress; by default in IPython and notebooks alone.
        on_evaluation: called with each `Evaluation` of each run, in this thread, while the run
            waits; its `stop()` ends the run there, which is kept as stopped and counts in no mean.
            There is none with an executor.
        mlflow: the address of an MLflow server that the runs are sent to.
        tensorboard: a folder that the runs are written to for TensorBoard.
        listener: its methods are called, in this thread, as runs begin and end.
        plugins: Python files that register parts which the configs name; see `nnrun.plugins`.

    Raises:
        ConfigError: with all mistakes of the configs and of the values of their grids; nothing was
            trained. Values that contradict each other only together are `failures` of the board.
        UsageError: there is no config, or there are too many runs, or an argument is invalid.
        NnrunError: no worker is left, or the disk is full; finished runs are saved.
        OSError: the leaderboard cannot be written.
    """
    several = [configs] if isinstance(configs, str | os.PathLike | Mapping) else list(configs)
    jobs, threads = at_least_one("jobs", jobs), at_least_one("threads", threads)
    if executor is not None:
        _check_executor(executor)
    if executor is not None and on_evaluation is not None:
        raise UsageError("on_evaluation needs runs of this machine: jobs=N, and no executor")
    if not several:
        raise UsageError("a config file, a folder of them, or a dictionary is needed")
    if "" in several:
        raise UsageError("a path is empty; '.' is the current folder")
    datasets = Datasets() if data is None else Datasets(GivenData(data).read)
    if data is not None:
        overrides = {**(overrides or {}), **FROM_DATA}
    if order_by is not None:
        overrides = {**(overrides or {}), "sweep.order_by": order_by}
    arguments = _arguments(overrides, seeds, iterations)
    if beside is not None:
        arguments = replace(arguments, beside=models_of(beside))
    plan = make_plan(_origins(several), arguments, datasets)
    root = None if results is None else Path(results)
    store = None if root is None else Store(root, report_markdown, RunIndex(root))
    processes = 1 if executor else workers_for(plan, jobs)
    callback = EvaluationCallback(
        on_evaluation,
        lambda run, row: Evaluation.of(row, run.key, run.seed, run.variant.choice),
    )
    own = [] if listener is None else [listener]
    with (
        sending(mlflow, tensorboard, root, "sweep") as tracking,
        shown(Runs(len(plan)), stderr_for(progress)) as work,
    ):
        this = Sweep(
            plan,
            store,
            datasets,
            Listeners(work, *own, tracking, callback),
            force=force,
            fail_fast=fail_fast,
            threads=(threads or 1) if executor else threads_for(threads, processes),
        )
        if executor is not None:
            if _is_of_dask(executor):
                plan.refuse_plugin_files()
            workers: Workers = _workers_of(executor, jobs)
        else:
            workers = local_workers(this, processes)
        done = this.run(workers)
        callback.check()
        made_by = f"nnrun.sweep([{', '.join(map(_shown, several))}])"
        board = with_margin(make_leaderboard(done, made_by), margin)
        if root is not None and store is not None and not done.missing:
            files = leaderboard_files(board)
            store.write(files)
            tracking.board([root / name for name in files])
    return Board(board, done, root)


def _origins(configs: Sequence[Config]) -> dict[str, Origin]:
    """Files, also those in folders, and dictionaries, by their names in errors."""
    paths = [Path(config) for config in configs if not isinstance(config, Mapping)]
    contents = {
        f"configs[{index}]": config
        for index, config in enumerate(configs)
        if isinstance(config, Mapping)
    }
    return {**{str(file): file for file in config_files(paths)}, **contents}


def _shown(config: Config) -> str:
    """A config in the call that a leaderboard shows."""
    if not isinstance(config, Mapping):
        return repr(str(config))
    return f"{{'name': {config['name']!r}, …}}" if "name" in config else "{…}"


def _arguments(
    overrides: Mapping[str, Any] | None,
    seeds: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None,
    iterations: int | None,
) -> Arguments:
    """The arguments in the form of the command line, which errors refer to."""
    grid = [*plain(overrides or {}).items()]
    number = seeds if isinstance(seeds, int) else None
    if number is not None and number < 1:
        raise UsageError(f"seeds={seeds}: at least one seed is needed")
    if isinstance(seeds, Mapping):
        grid.append(("sweep.seeds", plain(seeds)))
    elif seeds is not None and number is None:
        grid.append(("seed", plain(seeds)))
    return Arguments.parse([format_grid(*item) for item in grid], number, iterations)


def _check_executor(executor: object) -> None:
    """Refuse what is no executor, such as the address of a scheduler, or a class of executors."""
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        raise UsageError(
            f"executor={executor!r}: it has to be an executor of concurrent.futures, such as "
            "ThreadPoolExecutor(4), or a client of Dask: dask.distributed.Client(ADDRESS)"
        )


def _is_of_dask(executor: Executor) -> bool:
    return type(executor).__module__.partition(".")[0] == "distributed"


def _workers_of(executor: Executor, jobs: int | None) -> Workers:
    """The workers of an executor, and how many these are, as far as it is known."""
    if _is_of_dask(executor):
        from nnrun.sweeps.workers.dask import DaskWorkers  # noqa: PLC0415  # Dask is there

        # Its workers keep data; otherwise each run would bring them along.
        return DaskWorkers(getattr(executor, "_client", executor))
    if jobs is not None and jobs > 1:
        return ExecutorWorkers(executor, jobs)
    number = getattr(executor, "_max_workers", None) or os.cpu_count() or 1
    return ExecutorWorkers(executor, int(number))
