"""Functions for one run: train, extend, verify and load."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnrun.api.arguments import at_least_one, explained
from nnrun.api.given import Config, Path_, experiment_of, folder_of
from nnrun.api.interrupts import DeferredInterrupt
from nnrun.api.run import Run, read
from nnrun.data.given import loader_of
from nnrun.data.load import load_dataset
from nnrun.reports.markdown.run import report_markdown
from nnrun.reports.terminal.live.progress import watching
from nnrun.runs.catalog.select import lies_in, name_in
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.threads import threads_for
from nnrun.runs.extend import Extension
from nnrun.runs.extend import extend as extend_run
from nnrun.runs.lifecycle import train as train_prepared
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.storage.store import Store
from nnrun.runs.verification.verify import Verification
from nnrun.runs.verification.verify import verify as verify_run


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
    quiet: bool = True,
    threads: int | None = None,
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
        quiet: show no progress.
        threads: how many the run may use, by default one for each core; no bit depends on it.

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
    return _train(prepared, None, results, force, quiet, threads)


@explained
def extend(
    run: Run | Path_,
    iterations: int,
    *,
    data: Any = None,
    results: Path_ | None = "results",
    force: bool = False,
    quiet: bool = True,
    threads: int | None = None,
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
        quiet: show no progress.
        threads: how many the run may use, by default one for each core; no bit depends on it.

    Raises:
        UsageError: the run was kept in memory only, is not complete, or cannot be extended.
        NnrunError: its files are damaged.
        OSError: the results cannot be written.
        KeyboardInterrupt: Ctrl-C; the next call continues the run.
    """
    at_least_one("iterations", iterations)
    threads = at_least_one("threads", threads)
    folder = folder_of(run, results)
    name = None if results is None else name_in(folder, Path(results))
    extension = extend_run(folder, iterations, name, loader_of(data))
    return _train(extension.prepared, extension, results, force, quiet, threads)


@explained
def verify(run: Run | Path_, *, data: Any = None, results: Path_ = "results") -> Verification:
    """Train a run again, in memory, and compare every value with the stored one.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        data: what the run was trained on, if that was given in Python.
        results: the results folder, for looking up names.

    Returns:
        The verdict: `agrees`; and if not, `finding`, `reason` and the first `differences`.

    Raises:
        UsageError: there is no such run, or it is not complete.
    """
    folder = folder_of(run, results)
    verdict = verify_run(folder, loader_of(data))
    return replace(verdict, name=name_in(folder, Path(results)) or verdict.name)


@explained
def load(run: Path_, *, results: Path_ = "results") -> Run:
    """Load a stored run.

    Args:
        run: its folder; or the name of an experiment, for its newest run; `name/best`, for the
            median run of its best setting; `name/ID-PREFIX`; `latest`; or the file of a packed run.
        results: the results folder, for looking up names.

    Raises:
        UsageError: there is no such run, or several, or it is damaged.
        NnrunError: it was interrupted, and has no report yet.
    """
    folder = folder_of(run, results)
    return read(folder, placed=lies_in(folder, Path(results)))


def _train(
    prepared: Prepared,
    extension: Extension | None,
    results: Path_ | None,
    force: bool,
    quiet: bool,
    threads: int | None,
) -> Run:
    store = None if results is None else Store(Path(results), report_markdown)
    terminal = _Terminal(quiet)
    with DeferredInterrupt() as interrupt, watching(prepared.config.name, terminal) as observe:
        callbacks = Callbacks(
            start=interrupt.defer,
            observe=observe,
            stop=interrupt.stop,
            note=terminal.note,
            threads=threads_for(threads),
        )
        outcome = train_prepared(prepared, store, callbacks, force=force, extension=extension)
    return Run(outcome.record, outcome.folder, outcome.result)


@dataclass
class _Terminal:
    """The terminal, on which progress is shown unless `quiet`."""

    quiet: bool

    def note(self, text: str) -> None:
        """Write a line to stderr."""
        if not self.quiet:
            sys.stderr.write(f"{text}\n")
