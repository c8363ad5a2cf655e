"""Functions for one run: train, extend, verify, check and load."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnrun.api.arguments import at_least_one, explained
from nnrun.api.interrupts import DeferredInterrupt
from nnrun.api.run import Run, read
from nnrun.config.load import Experiment, load_config
from nnrun.config.overrides import format_override
from nnrun.config.schema.experiment import DatasetConfig
from nnrun.config.yaml.plain import plain
from nnrun.data.dataset import Dataset
from nnrun.data.given import loader_of
from nnrun.data.load import load_dataset
from nnrun.data.readers.formats import GIVEN
from nnrun.engines.selection import why_not_compiled
from nnrun.errors import UsageError
from nnrun.reports.markdown.run import report_markdown
from nnrun.reports.terminal.checks import CheckedRun
from nnrun.reports.terminal.live.progress import watching
from nnrun.runs.catalog.select import lies_in, name_in
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.described_data import describe_dataset
from nnrun.runs.execution.rate_finder import find_rate
from nnrun.runs.execution.record_builder import described_network
from nnrun.runs.execution.threads import threads_for
from nnrun.runs.extend import Extension
from nnrun.runs.extend import extend as extend_run
from nnrun.runs.lifecycle import train as train_prepared
from nnrun.runs.preparation.beside import ENGINE, PreparedBeside
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.sharing import is_packed
from nnrun.runs.sharing.unpack import unpacked_for_good
from nnrun.runs.storage.store import Store
from nnrun.runs.verification.gradients import check_run_gradients
from nnrun.runs.verification.verify import Verification
from nnrun.runs.verification.verify import verify as verify_run
from nnrun.sweeps.picking import pick_run

Path_ = str | os.PathLike[str]
Config = Path_ | Mapping[str, Any]
FROM_DATA = {"dataset.path": GIVEN}
"""The override for data that are given in place of a file."""


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
    experiment = _experiment(config, overrides, seed, iterations, data)
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
def check(
    config: Config,
    overrides: Mapping[str, Any] | None = None,
    *,
    data: Any = None,
    iterations: int | None = None,
    gradients: bool = False,
) -> CheckedRun:
    """Check a config and describe its run, without training it.

    Args:
        config: a YAML file, or its content as a dictionary.
        overrides: values by their dotted keys.
        data: in place of the config's file: a table of pandas, polars or pyarrow, or arrays as
            `(x, y)`; runs know it by its content.
        iterations: replaces the config's iterations or epochs.
        gradients: whether to compare every parameter's gradient with a numerical one.

    Raises:
        ConfigError: with all mistakes of the config.
        UsageError: the run needs more memory than is free, or an argument is invalid.
    """
    experiment = _experiment(config, overrides, None, iterations, data)
    return describe(experiment, gradients=gradients, load=loader_of(data) or load_dataset)


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


def describe(
    experiment: Experiment,
    *,
    gradients: bool,
    learning_rate: bool = False,
    load: Callable[[DatasetConfig], Dataset] = load_dataset,
) -> CheckedRun:
    """The result of `check` for a loaded config."""
    prepared = prepare(experiment, load)
    config = prepared.config
    found = CheckedRun(
        file=str(experiment.file),
        name=config.name,
        description=config.description,
        run_id=prepared.run_id,
        dataset={**describe_dataset(prepared), "inferred": prepared.inferred},
        network=described_network(prepared),
    )
    if isinstance(prepared, PreparedBeside):
        if gradients or learning_rate:
            lacks = "gradients to compare" if gradients else "learning rate"
            raise UsageError(f"scikit-learn's '{prepared.model}' has no {lacks}")
        return replace(found, engine=ENGINE, beside=prepared.model)
    return replace(
        found,
        memory=prepared.memory,
        iterations=prepared.iterations,
        batch_size=config.training.batch_size,
        epochs=prepared.iterations / prepared.batches_per_epoch,
        dtype=config.training.dtype,
        engine=prepared.engine,
        engine_note=why_not_compiled(config.training.engine, prepared.network),
        gradients=check_run_gradients(prepared) if gradients else None,
        learning_rate=find_rate(prepared, experiment) if learning_rate else None,
    )


def words(overrides: Mapping[str, Any] | None) -> list[str]:
    """Overrides in the form of the command line, which errors refer to.

    Raises:
        ConfigError: a value cannot be written in a config.
    """
    if not isinstance(overrides or {}, Mapping):
        raise UsageError('overrides are a dictionary such as {"training.learning_rate": 0.1}')
    return [format_override(key, value) for key, value in plain(overrides or {}).items()]


def folder_of(run: Run | Path_, results: Path_ | None) -> Path:
    """The folder of a stored run."""
    if not isinstance(run, Run):
        place, root = os.fspath(run), Path(results or "results")
        return unpacked_for_good(Path(place)) if is_packed(place) else pick_run(place, root)
    if run.path is None:
        raise UsageError(f"{run.name}/{run.run_id}: it was kept in memory, and no file of it is")
    return run.path


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


def _experiment(
    config: Config,
    overrides: Mapping[str, Any] | None,
    seed: int | None,
    iterations: int | None,
    data: Any,
) -> Experiment:
    origin = config if isinstance(config, Mapping) else Path(config)
    given = words(overrides) + ([] if seed is None else words({"seed": seed}))
    given += [] if data is None else words(FROM_DATA)
    return load_config(origin, given, iterations)


@dataclass
class _Terminal:
    """The terminal, on which progress is shown unless `quiet`."""

    quiet: bool

    def note(self, text: str) -> None:
        """Write a line to stderr."""
        if not self.quiet:
            sys.stderr.write(f"{text}\n")
