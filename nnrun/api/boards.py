"""Sweeps from Python, on any executor, and leaderboards as values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnrun.api.experiments import Evaluation, EvaluationCallback, OnEvaluation, sending, stderr_for
from nnrun.api.run import (
    FROM_DATA,
    Config,
    Path_,
    Plugins,
    Run,
    at_least_one,
    explained,
    folder_of,
    read,
)
from nnrun.config.files import config_files
from nnrun.config.load import Origin
from nnrun.config.overrides import format_grid
from nnrun.config.source_map import plain
from nnrun.data.splits import GivenData
from nnrun.errors import UsageError
from nnrun.frames import to_frame
from nnrun.reports.html.overview import find_runs
from nnrun.reports.html.report import Report, render
from nnrun.reports.importance import REPEATS, Importance, importance_of
from nnrun.reports.leaderboard_files import flat_row, leaderboard_files
from nnrun.reports.live.runs import Runs as SweepRuns
from nnrun.reports.notebook_blocks import framed
from nnrun.reports.numbers import plural
from nnrun.reports.run import report_markdown
from nnrun.reports.shown import shown
from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.events import Listener, Listeners
from nnrun.runs.pack import pack as pack_run
from nnrun.runs.storage.durable import write_atomically
from nnrun.runs.storage.store import Store
from nnrun.sweeps.active_runs import Failure, SweepProgress
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.rows import Group, Leaderboard, Row, with_margin
from nnrun.sweeps.named_runs import pick_run, setting_word
from nnrun.sweeps.out_of_fold import OutOfFold
from nnrun.sweeps.out_of_fold import out_of_fold as collect
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.grid import models_of
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Training
from nnrun.sweeps.workers.base import ExecutorWorkers, Workers
from nnrun.systems.process import not_collected

# A leaderboard as a value, and what is made of stored runs: pages, packed files, importance.


@explained
def pack(
    run: Run | Path_, file: Path_, *, results: Path_ = "results", with_data: bool = False
) -> Path:
    """Write a complete run as a zip file, which `load`, `verify` and others take in its place.

    The same run gives the same bytes; nothing in them names a folder or a user.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        file: to write, a .zip.
        results: the results folder, for looking up names.
        with_data: whether the data file is in it, too.

    Returns:
        The file.

    Raises:
        UsageError: there is no such run, or it is not complete, or its data are no file.
        OSError: the file cannot be written.
    """
    path = Path(os.fspath(file))
    pack_run(folder_of(run, results), path, with_data=with_data)
    return path


@explained
def importance(
    run: Run | Path_, *, repeats: int = REPEATS, results: Path_ = "results"
) -> Importance:
    """The permutation importance of each column on the test rows; for images, maps of pixels.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        repeats: how often each column is shuffled.
        results: the results folder, for looking up names.

    Returns:
        Its `columns`, the most important first, each with a 95% interval: over the stored runs of
        its setting, else over the repeats. `to_dict()` has all of it as plain values.

    Raises:
        UsageError: there is no such run, or no model is kept of it.
        NnrunError: its data are missing or have changed.
    """
    repeats = at_least_one("repeats", repeats) or REPEATS
    folder = folder_of(run, results)
    return importance_of(folder, read(folder).record, Datasets().load, repeats)


@explained
def out_of_fold(
    run: Run | Path_,
    *,
    results: Path_ = "results",
    threshold: float | None = None,
    ids: Sequence[str] = (),
) -> OutOfFold:
    """Predictions for every row of the data by the models that were not trained on it.

    Args:
        run: the name of an experiment whose runs are folds, for its best setting with all seeds;
            or one of its runs, for the setting and the seed of that run.
        results: the results folder, for looking up names.
        threshold: from which probability on the positive one of two classes is predicted; by
            default that of each run.
        ids: columns of the data file that the table has in front, unchanged.

    Returns:
        Row numbers, folds, targets, predictions and probabilities; `to_frame()` is a table.

    Raises:
        UsageError: there is no such run, or it has no folds, or is damaged.
        NnrunError: no seed has a completed run of each fold, or the data have changed.
    """
    if isinstance(run, Run):
        folder, all_seeds = folder_of(run, None), False
    else:
        word, all_seeds = setting_word(os.fspath(run), Path(results))
        folder = pick_run(word, Path(results), in_folds=True)
    return collect(folder, all_seeds=all_seeds, threshold=threshold, carried=ids)


# The leaderboard of a sweep as a value.


class Board:
    """The leaderboard of a sweep: groups of comparable rows, the best row first.

    `path` is the results folder; None where nothing was written.
    """

    def __init__(
        self, leaderboard: Leaderboard, progress: SweepProgress, path: Path | None
    ) -> None:
        self.leaderboard = leaderboard
        self.path = path
        self._progress = progress

    def __repr__(self) -> str:
        runs, rows = len(self._progress.plan), plural(len(self.rows()), "row")
        failed = f", {len(self.failures)} failed or diverged" if self.failures else ""
        stopped = f", {self._progress.stopped} stopped" if self._progress.stopped else ""
        return f"<Board of {plural(runs, 'run')} in {rows}{failed}{stopped}>"

    @property
    def groups(self) -> Sequence[Group]:
        """The rows with their statistics, by data set and metric."""
        return self.leaderboard.groups

    @property
    def best(self) -> Row:
        """The first network: the best mean by validation, or by test where there is none.

        Raises:
            UsageError: there are several groups, whose rows cannot be compared; or no run of the
                sweep has completed.
        """
        if len(self.groups) != 1:
            raise UsageError(
                f"the board has {plural(len(self.groups), 'group')} that cannot be compared; "
                "board.groups[0].rows[0] is the best row of the first"
            )
        row = self.groups[0].first_network
        if row is None:
            raise UsageError("no run of the sweep has completed")
        return row

    @property
    def failures(self) -> Sequence[Failure]:
        """Runs that diverged or failed, with the reason."""
        return self._progress.failures

    @property
    def trained(self) -> int:
        """How many runs this sweep trained; the others were complete before."""
        return self._progress.trained

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each row, with the columns of leaderboard.csv."""
        return [flat_row(group, row) for group in self.groups for row in group.rows]

    def runs(self) -> Iterator[Run]:
        """All saved runs, in the order of the plan.

        Raises:
            UsageError: nothing was saved.
        """
        if self.path is None:
            raise UsageError("no run was kept: the sweep had results=None")
        for variant in self._progress.plan.variants:
            for run in variant.runs():
                folder = self.path / variant.name / run.run_id
                if folder.is_dir():
                    yield read(folder)

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return to_frame(self.rows())

    def _repr_html_(self) -> str:
        """The leaderboard with a strip for each row, and curves, for notebooks."""
        from nnrun.reports.notebook_blocks import board_html  # noqa: PLC0415  # imports charts

        return board_html(self.leaderboard, self._progress, self.path)


# The HTML report as a value, which notebooks show.

Runs = Path_ | Run | Board


class Page:
    """A report: one HTML page that needs nothing else; a notebook shows it in a frame.

    Args:
        html: the page.
        runs: how many runs it is about.
    """

    def __init__(self, html: str, runs: int) -> None:
        self.html = html
        self._runs = runs

    def __repr__(self) -> str:
        return f"<Report on {plural(self._runs, 'run')}>"

    def save(self, file: Path_) -> Path:
        """Write the page, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        path = Path(file)
        write_atomically(path, self.html.encode())
        return path

    def _repr_html_(self) -> str:
        """The page in a frame, for notebooks."""
        return framed(self.html, f"Report on {plural(self._runs, 'run')}")


@explained
def report(
    runs: Runs | Sequence[Runs] = (),
    *,
    results: Path_ = "results",
    order_by: str | None = None,
    margin: float | None = None,
    importance: bool | None = None,
) -> Page:
    """The report on runs, as `nnrun report` writes it.

    Args:
        runs: a run, a sweep's board, a folder or a name as for `load`, or several of them; by
            default all runs in the results folder.
        results: the results folder, for looking up names.
        order_by: the metric that leaderboards are ordered by.
        margin: a difference that does not matter, in the units of the metric.
        importance: whether to compute which columns or pixels count, for a run of each setting; by
            default for the best of each board, as far as that takes about 10 seconds in all.

    Raises:
        UsageError: there is no such run, or it was kept in memory only.
    """
    several = [runs] if isinstance(runs, str | os.PathLike | Run | Board) else list(runs)
    words = tuple(word for one in several for word in _words(one))
    if several and not words:
        raise UsageError("the board has no saved run")
    with not_collected():
        found = find_runs(words, Path(results), order_by)
        content = Report(found, Datasets().load, margin=margin, importance=importance)
        return Page(render(content), len(found))


def _words(one: Runs) -> Iterator[str]:
    if isinstance(one, Board):
        yield from (str(run.path) for run in one.runs())
    elif isinstance(one, Run):
        yield str(folder_of(one, None))
    else:
        yield os.fspath(one)


# Sweeps: many configs with many seeds, on any executor.


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
    workers = workers_of(executor, jobs)
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
    callback = EvaluationCallback(
        on_evaluation,
        lambda run, row: Evaluation.of(row, run.key, run.seed, run.variant.choice),
    )
    own = [] if listener is None else [listener]
    with sending(mlflow, tensorboard, root, "sweep") as tracking:
        listener = Listeners(*own, tracking, callback)
        training = Training(store, datasets, listener, jobs, threads, workers)
        work = shown(SweepRuns(len(plan)), stderr_for(progress))
        done = training.run(plan, work, force=force, fail_fast=fail_fast)
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


def workers_of(
    executor: Executor | None, jobs: int | None
) -> Callable[[Plan, Listener], Workers] | None:
    """What makes the workers of an executor, of which there are as many as it says, or `jobs`.

    Raises: UsageError if it is none, but the address of a scheduler, or a class of executors.
    """
    if executor is None:
        return None
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        raise UsageError(
            f"executor={executor!r}: it has to be an executor of concurrent.futures, such as "
            "ThreadPoolExecutor(4), or a client of Dask: dask.distributed.Client(ADDRESS)"
        )

    def make(plan: Plan, work: Listener) -> Workers:
        if type(executor).__module__.partition(".")[0] == "distributed":
            from nnrun.sweeps.workers.dask import DaskWorkers  # noqa: PLC0415  # Dask is there

            plan.refuse_plugin_files()
            # Its workers keep data; otherwise each run would bring them along.
            return DaskWorkers(getattr(executor, "_client", executor))
        if jobs is not None and jobs > 1:
            return ExecutorWorkers(executor, jobs)
        number = getattr(executor, "_max_workers", None) or os.cpu_count() or 1
        return ExecutorWorkers(executor, int(number))

    return make
