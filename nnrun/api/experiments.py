"""One run from Python: train, extend, verify and load it, and follow its evaluations."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from nnrun.api.run import (
    Config,
    Path_,
    Plugins,
    Run,
    at_least_one,
    experiment_of,
    explained,
    folder_of,
    read,
)
from nnrun.config.names import SPLITS
from nnrun.data.splits import GivenData, load_dataset, loader_of
from nnrun.reports.live.work import OneRun, session
from nnrun.reports.run import report_markdown
from nnrun.reports.shown import shown
from nnrun.runs.catalog.select import lies_in, name_in
from nnrun.runs.deferred_signals import DeferredSignals
from nnrun.runs.events import Listener, Listeners
from nnrun.runs.lifecycle import Extension
from nnrun.runs.lifecycle import extend as extend_run
from nnrun.runs.lifecycle import train as train_prepared
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.storage.store import Store
from nnrun.runs.verify import Verification
from nnrun.runs.verify import verify as verify_run
from nnrun.systems.process import threads_for
from nnrun.trackers.tracking import Group, Trackers, Tracking
from nnrun.training.state import HistoryRow

# Evaluations of a run in progress, and the function that a caller has for them.


@dataclass
class Evaluation:
    """One evaluation of a run in progress; `stop()` ends the run with the weights that it has now.

    Args:
        run: the run, as `name/run_id`.
        seed: of the run.
        choice: the settings in which the runs of a sweep differ, by dotted keys.
        iteration: the updates so far.
        epoch: the passes over the training rows so far.
        losses: by split, such as `losses["test"]`.
        metrics: by split and name, such as `metrics["test"]["accuracy"]`.
    """

    run: str
    seed: int
    choice: Mapping[str, Any]
    iteration: int
    epoch: float
    losses: dict[str, float]
    metrics: dict[str, dict[str, float]]
    stopped: bool = field(default=False, init=False)

    @classmethod
    def of(cls, row: HistoryRow, run: str, seed: int, choice: Mapping[str, Any]) -> Evaluation:
        """Evaluation from a row of the history."""
        metrics = {
            split: {
                name.removeprefix(f"{split}_"): float(value)
                for name, value in row.items()
                if name.startswith(f"{split}_")
            }
            for split in SPLITS
            if f"{split}_loss" in row
        }
        losses = {split: found.pop("loss") for split, found in metrics.items()}
        return cls(run, seed, choice, int(row["iteration"]), row["epoch"], losses, metrics)

    def stop(self) -> None:
        """End the run here. It is kept as `stopped`, with its weights, and counts in no mean."""
        self.stopped = True


OnEvaluation = Callable[[Evaluation], object]


class EvaluationCallback(Listener):
    """Calls a caller's function, if there is one, with each evaluation.

    An error of it ends the work, and is raised once that is saved.

    Args:
        function: of the caller.
        evaluation_of: makes what it is called with, of a run and a row of its history.
    """

    def __init__(
        self,
        function: OnEvaluation | None,
        evaluation_of: Callable[[Any, HistoryRow], Evaluation],
    ) -> None:
        self.decides = function is not None
        self._function = function
        self._evaluation_of = evaluation_of
        self._error: Exception | None = None

    def evaluated(self, run: Any, rows: Sequence[HistoryRow]) -> bool:
        if self._function is None or self._error is not None:
            return False
        evaluation = self._evaluation_of(run, rows[-1])
        try:
            self._function(evaluation)
        except Exception as error:  # the caller's
            self._error = error
        return evaluation.stopped and self._error is None

    def stop(self) -> bool:
        return self._error is not None

    def check(self) -> None:
        """Raise the error of the function, if there is one."""
        if self._error is not None:
            raise self._error


# What goes out while runs train: progress to a notebook or the terminal, runs to trackers.


@dataclass
class Stderr:
    """Lines for the user, unless `quiet`."""

    quiet: bool

    def note(self, text: str) -> None:
        """Write a line."""
        if not self.quiet:
            sys.stderr.write(f"{text}\n")

    def error(self, text: str) -> None:
        """Write a line; also of what went wrong, since that is in the results."""
        self.note(text)


def stderr_for(progress: bool | None) -> Stderr:
    """Lines are written where progress is shown: by default in IPython, and not in programs."""
    return Stderr(quiet=session() == "none" if progress is None else not progress)


def sending(
    mlflow: str | None,
    tensorboard: str | os.PathLike[str] | None,
    results: Path | None,
    group: Group | None = None,
) -> Tracking:
    """What sends runs to trackers; a Python warning says what is wrong with one."""
    folder = None if tensorboard is None else Path(tensorboard)
    return Trackers(mlflow, folder).open(warnings.warn, results, group)


@explained
def init(data: Any, target: str | None = None) -> dict[str, Any]:
    """The config that `nnrun init --data` writes, as a dictionary for `nnrun.train`.

    Args:
        data: a file or a folder of images; or a table of pandas, polars or pyarrow. A config cannot
            name a table in memory: its `dataset.path` says so, and `train` takes the table again,
            as `nnrun.train(config, data=table)`.
        target: the column to predict; by default it is guessed.

    Raises:
        UsageError: there is no such file or column.
        DataError: the data cannot be read, or have nothing to predict from.
    """
    # The config language and readers of data are slow to import.
    from nnrun.config.scaffold.from_data import content_of, draft, draft_frame  # noqa: PLC0415
    from nnrun.sweeps.tried import settled  # noqa: PLC0415

    say = stderr_for(None).note
    if isinstance(data, str | os.PathLike):
        return content_of(settled(draft(Path(data), target, Path.cwd()), say), Path(data))
    return content_of(settled(draft_frame(data, target), say, GivenData(data).load), None)


@explained
def train(
    config: Config,
    overrides: Mapping[str, Any] | None = None,
    *,
    data: Any = None,
    seed: int | None = None,
    iterations: int | None = None,
    results: Path_ | None = "results",
    force: bool = False,
    progress: bool | None = None,
    threads: int | None = None,
    plugins: Plugins = (),
    on_evaluation: OnEvaluation | None = None,
    mlflow: str | None = None,
    tensorboard: Path_ | None = None,
) -> Run:
    """Train a config, unless its run is complete already.

    Args:
        config: a YAML file, or its content as a dictionary.
        overrides: values by their dotted keys, such as `{"training.learning_rate": 0.1}`.
        data: in place of the config's file: a table of pandas, polars or pyarrow, or arrays as
            `(x, y)`; runs know it by its content.
        seed: replaces the config's.
        iterations: replaces the config's iterations or epochs.
        results: the results folder; None to keep the run in memory only, and always train.
        force: train even if the run is complete or damaged in the results folder.
        progress: whether to show progress; by default in IPython and notebooks alone.
        threads: how many the run may use, by default one for each core; no bit depends on it.
        plugins: Python files that register parts which the config names; see `nnrun.plugins`.
        on_evaluation: called with each `Evaluation` of the run, whose `stop()` ends it there: it is
            kept as stopped. With this argument it is not trained again, without it continues.
        mlflow: the address of an MLflow server that the run is sent to.
        tensorboard: a folder that the run is written to for TensorBoard.

    Returns:
        The run; see its `status`, since it may have diverged.

    Raises:
        ConfigError: with all mistakes of the config.
        UsageError: the run needs more memory than is free, an argument is invalid, or the stored
            run is damaged.
        OSError: the results cannot be written.
        EngineFaultError: the compiled engine does not compute what NumPy does; the run is saved as
            failed, and engine numpy can train it.
        KeyboardInterrupt: Ctrl-C; the next call continues the run.
    """
    threads = at_least_one("threads", threads)
    experiment = experiment_of(config, overrides, seed, iterations, data)
    prepared = prepare(experiment, loader_of(data) or load_dataset)
    root = None if results is None else Path(results)
    with sending(mlflow, tensorboard, root) as tracking:
        return train_saved(prepared, None, root, force, progress, threads, on_evaluation, tracking)


@explained
def extend(
    run: Run | Path_,
    iterations: int,
    *,
    data: Any = None,
    results: Path_ | None = "results",
    force: bool = False,
    progress: bool | None = None,
    threads: int | None = None,
    plugins: Plugins = (),
    on_evaluation: OnEvaluation | None = None,
    mlflow: str | None = None,
    tensorboard: Path_ | None = None,
) -> Run:
    """Train a completed run for more iterations, as a new run that names the shorter one.

    It has the same bits as training all iterations at once.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        iterations: how many more.
        data: what the run was trained on, if that was given in Python.
        results: the results folder, for looking up names and saving the longer run; None to keep
            that in memory only.
        force: train even if the run is complete or damaged in the results folder.
        progress: as for `train`; so are `on_evaluation`, `mlflow` and `tensorboard`.
        threads: how many the run may use, by default one for each core; no bit depends on it.
        plugins: Python files that register parts which the run names; see `nnrun.plugins`.
        on_evaluation: called with each new evaluation.
        mlflow: the address of a server.
        tensorboard: a folder.

    Raises:
        UsageError: the run was kept in memory only, is not complete, or cannot be extended.
        NnrunError: its files are damaged.
        OSError: the results cannot be written.
        KeyboardInterrupt: Ctrl-C; the next call continues the run.
    """
    at_least_one("iterations", iterations)
    threads = at_least_one("threads", threads)
    folder = folder_of(run, results)
    root = None if results is None else Path(results)
    name = None if root is None else name_in(folder, root)
    extension = extend_run(folder, iterations, name, loader_of(data))
    prepared = extension.prepared
    with sending(mlflow, tensorboard, root) as tracking:
        return train_saved(
            prepared, extension, root, force, progress, threads, on_evaluation, tracking
        )


@explained
def verify(
    run: Run | Path_, *, data: Any = None, results: Path_ = "results", plugins: Plugins = ()
) -> Verification:
    """Train a run again, in memory, and compare every value with the stored one.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        data: what the run was trained on, if that was given in Python.
        results: the results folder, for looking up names.
        plugins: Python files that register parts which the run names; see `nnrun.plugins`.

    Returns:
        The verdict: `agrees`; and if not, `finding`, `reason` and the first `differences`.

    Raises:
        UsageError: there is no such run, or it is not complete.
    """
    folder = folder_of(run, results)
    verdict = verify_run(folder, loader_of(data), report_markdown)
    return replace(verdict, name=name_in(folder, Path(results)) or verdict.name)


@explained
def load(run: Path_, *, results: Path_ = "results", plugins: Plugins = ()) -> Run:
    """Load a stored run.

    Args:
        run: its folder; or the name of an experiment, for its newest run; `name/best`, for the
            median run of its best setting; `name/ID-PREFIX`; `latest`; or the file of a packed run.
        results: the results folder, for looking up names.
        plugins: Python files that register parts which the run names; see `nnrun.plugins`.

    Raises:
        UsageError: there is no such run, or several, or it is damaged.
        NnrunError: it was interrupted, and has no report yet.
    """
    folder = folder_of(run, results)
    return read(folder, placed=lies_in(folder, Path(results)))


def train_saved(
    prepared: Prepared,
    extension: Extension | None,
    results: Path | None,
    force: bool,
    progress: bool | None,
    threads: int | None,
    on_evaluation: OnEvaluation | None,
    tracking: Tracking,
) -> Run:
    """Train a prepared run, or go on from another; the arguments are those of `train`."""
    store = None if results is None else Store(results, report_markdown)
    name, run_id, seed = prepared.config.name, prepared.run_id, prepared.config.seed
    output = stderr_for(progress)
    callback = EvaluationCallback(
        on_evaluation, lambda run, row: Evaluation.of(row, f"{name}/{run_id}", seed, {})
    )
    with _DeferredInterrupt() as interrupt, shown(OneRun(name), output) as view:
        call = Listener(
            started=lambda run, iteration: interrupt.defer(),
            stop=interrupt.stop,
        )
        outcome = train_prepared(
            prepared,
            store,
            Listeners(view, tracking, callback, call),
            threads=threads_for(threads),
            force=force,
            extension=extension,
        )
    callback.check()
    return Run(outcome.record, outcome.folder, outcome.result)


class _DeferredInterrupt(DeferredSignals):
    """Ctrl-C in Python.

    `KeyboardInterrupt` is raised at the end of the context; at once for a second Ctrl-C, or one
    before `defer`. It does nothing outside the main thread, or if there is another signal handler.
    """

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self.stop() and error[0] is None:
            raise KeyboardInterrupt

    def _handles(self, number: signal.Signals) -> bool:
        alone = signal.getsignal(number) is signal.default_int_handler
        return alone and threading.current_thread() is threading.main_thread()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.stop() or not self.deferred:
            signal.default_int_handler(number, frame)
        self.received = number
