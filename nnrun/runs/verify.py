"""Verifying that runs can be reproduced: first their files, then their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from nnrun import __version__
from nnrun import pool as process_main
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.settings import flatten
from nnrun.data.dataset import Dataset
from nnrun.errors import DataError, NnrunError, UsageError
from nnrun.models import MODEL
from nnrun.models.load import weights_sha256
from nnrun.plugins.loading import Shipment, changed, everything, receive
from nnrun.pool import Channel, ProcessPool, WorkerLostError
from nnrun.runs.agreement import Difference, Part, first, is_tolerable, parts
from nnrun.runs.events import Listener
from nnrun.runs.execution.descriptions import environment
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.contents import files_of, read_result
from nnrun.runs.storage.data_place import Given, give_again, given, usable_config
from nnrun.runs.storage.durable import read_regular
from nnrun.runs.storage.reading import (
    MARKDOWN,
    REPORT,
    StoredRun,
    changed_file,
    read_run,
    remedy,
    report_values,
    unnamed_file,
)
from nnrun.runs.stored_config import load_named, load_stored

# Verifying that a run can be reproduced: first its files, then its values.
#
# A run is trained again from its stored config and data, in memory. Then every value in its files
# is compared with what training gives: history, metrics, weights, network and preprocessing, the
# state that a longer run starts from, what was seen on the way, and all else in its report but
# when, where and how fast it was trained. On the same machine with the same versions all must have
# the same bits. In another environment all numbers must be within a tolerance (`agreement.py`).
# Files whose values agree must be what nnrun makes of these values, to the last byte.

# What the bytes of files depend on, besides what they say.
_WRITERS = ("nnrun", "packages.safetensors")

Finding = Literal["same_bits", "within_tolerance", "differs", "damaged", "not_verified"]


@dataclass(frozen=True)
class Verification:
    """The result of verifying a run.

    Args:
        name: of the experiment.
        run_id: of the run.
        folder: of the run.
        finding: `same_bits` or `within_tolerance` if the run is verified; `differs`; `damaged` if
            its files have changed; `not_verified` if it cannot be trained again, such as when its
            data are missing.
        reason: what is wrong, in a sentence.
        differences: the first value that differs of each part: history, metrics, weights, the
            record of a watched run, the description of the model, the state that a longer run
            starts from, and the rest of the report.
        environment: what differs in it: for each key, the value then and now; the value then is a
            list where updates of the run had several.
        exit_code: of the command.
    """

    name: str
    run_id: str
    folder: str
    finding: Finding
    reason: str | None = None
    differences: list[Difference] = field(default_factory=list)
    environment: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    exit_code: int = 0

    @property
    def agrees(self) -> bool:
        """Whether the run is verified."""
        return self.finding in ("same_bits", "within_tolerance")

    @property
    def of_another_writer(self) -> bool:
        """Whether its files are of another version of nnrun or safetensors; then they are compared
        by the values in them alone, and report.md is not.
        """
        return any(writer in self.environment for writer in _WRITERS)


def verify(
    folder: Path,
    load: Callable[[DatasetConfig], Dataset] | None = None,
    render: Callable[[RunResult], str] | None = None,
) -> Verification:
    """Check the files of a run, train it again on the data that `load` gives, and compare.

    `render` makes report.md, which is not compared without it.

    Raises: UsageError if there is no complete run.
    """
    run = read_run(folder)
    if run is None:
        raise UsageError(f"{folder}: there is no run")
    verdict = Verification(run.name, run.run_id, str(folder), "damaged")
    if run.is_unreadable:
        reason = f"it cannot be read: {run.problem}; {remedy(run.problem, folder)}"
        code = NnrunError.exit_code
        return replace(verdict, finding="not_verified", reason=reason, exit_code=code)
    if run.is_damaged:
        return replace(verdict, reason=run.problem, exit_code=3)
    if run.record is None:
        raise UsageError(f"{folder}: only complete runs are verified, and {run.problem}")
    verdict = replace(verdict, name=run.record.name, run_id=run.record.run_id)
    if not run.complete and not run.is_stopped:
        raise UsageError(f"{folder}: only complete runs are verified; this is {run.record.status}")
    try:
        fault = _fault(folder, run.record)
        if fault is not None:
            return replace(verdict, reason=fault, exit_code=3)
        verdict = _compared(verdict, folder, run, run.record, load)
        if verdict.agrees and (fault := _otherwise_written(verdict, folder, run.record, render)):
            return replace(verdict, finding="damaged", reason=fault, exit_code=3)
        return verdict
    except (NnrunError, OSError) as error:
        code = getattr(error, "exit_code", 1)
        return replace(verdict, finding="not_verified", reason=str(error), exit_code=code)


def _fault(folder: Path, record: RunRecord) -> str | None:
    """What is wrong with the first file that has changed; None if none has."""
    fault = changed_file(folder, record) or unnamed_file(folder, record)
    if fault is not None:
        return fault
    try:
        weights = read_result(folder, record).weights
    except DataError:  # too large for the memory
        raise
    except NnrunError as error:
        return str(error)
    if record.weights_sha256 != (None if weights is None else weights_sha256(weights)):
        return f"the weights in {MODEL} are not those of the report"
    return None


def _otherwise_written(
    verdict: Verification,
    folder: Path,
    record: RunRecord,
    render: Callable[[RunResult], str] | None,
) -> str | None:
    """The first file that is not what nnrun makes of the values in it; None if there is none."""
    if verdict.of_another_writer:
        return None
    config = report_values(folder)["config"]  # with the path of the data as it is stored
    stored = read_result(folder, replace(record, config=config))
    as_it_is = read_regular(folder / MARKDOWN).decode(errors="replace")
    _, files = files_of(stored, render or (lambda _: as_it_is))
    for name, content in files.items():
        if read_regular(folder / name) != content:
            return f"{name} is not what nnrun writes"
    return None


def _compared(
    verdict: Verification,
    folder: Path,
    run: StoredRun,
    record: RunRecord,
    load: Callable[[DatasetConfig], Dataset] | None,
) -> Verification:
    experiment = load_stored(folder, record)
    if sources := changed(record.plugins):
        have = "has" if len(sources) == 1 else "have"
        reason = f"{' and '.join(sources)} {have} changed since it was trained"
        return replace(
            verdict, finding="differs", reason=reason, environment=dict(sources), exit_code=3
        )
    prepared = prepare(experiment, load or load_named(experiment))
    if prepared.config.name != record.name:
        reason = f"{REPORT} is that of {record.name}/{record.run_id}"
        return replace(verdict, name=run.name, reason=reason, exit_code=3)
    if prepared.dataset.sha256 != record.dataset["sha256"]:
        found, known = prepared.dataset.sha256, record.dataset["sha256"]
        reason = "its data have changed since it was trained"
        data = {"dataset.sha256": (known, found)}
        return replace(verdict, finding="differs", reason=reason, environment=data, exit_code=3)
    again = train(prepared, None, _until(record)).result
    assert again is not None, "nothing was there before"
    moved = _changes(record, again.record)
    report = {**report_values(folder), "config": record.config}
    config = usable_config(experiment.source.data, folder, record.dataset["sha256"])
    compared = list(parts(read_result(folder, record), report, again, config, moved))
    verdict = replace(
        verdict,
        differences=[pair for part in compared if (pair := first(part.values)) is not None],
        environment=moved,
    )
    if not verdict.differences:
        return replace(verdict, finding="same_bits")
    dtype = "float64" if record.beside is not None else prepared.config.training.dtype
    if moved and all(is_tolerable(pair, dtype) for part in compared for pair in part.values):
        return replace(verdict, finding="within_tolerance")
    return replace(
        verdict, finding="differs", reason=_reason(record, again.record, compared), exit_code=3
    )


def _until(record: RunRecord) -> Listener | None:
    """Stops where the run was stopped."""
    if record.status != "stopped":
        return None
    last = record.timing["iterations"]
    return Listener(decides=True, evaluated=lambda run, rows: bool(rows[-1]["iteration"] >= last))


def _reason(stored: RunRecord, again: RunRecord, compared: list[Part]) -> str:
    if stored.status != again.status:
        return f"it was {stored.status}, and now it is {again.status}"
    return next(part.fault for part in compared if first(part.values) is not None)


def _changes(stored: RunRecord, again: RunRecord) -> dict[str, tuple[Any, Any]]:
    """The parts of the environment that differ, be it that of the first updates alone."""
    before = flatten({"nnrun": stored.nnrun_version, **stored.last_environment})
    now = flatten({"nnrun": __version__, **again.environment, **environment()})
    if stored.nnrun_version != __version__:
        before["engine"], now["engine"] = stored.engine, again.engine
    earlier = [flatten(environment) for environment in stored.earlier_environments]
    changes: dict[str, tuple[Any, Any]] = {}
    for key in sorted((before.keys() | now.keys()).union(*earlier) - {"threads"}):
        values = [*(values[key] for values in earlier if key in values), before.get(key)]
        then = [value for at, value in enumerate(values) if value not in values[:at]]
        if then != [now.get(key)]:
            changes[key] = (then if then[1:] else then[0], now.get(key))
    return changes


# Verifying many runs in several processes.
#
# They are those of sweeps, since workers of `concurrent.futures` outlive a parent that is killed,
# and at Ctrl-C they would first end the runs that they train.

_WAIT_SECONDS = 0.1


def verify_all(
    folders: Sequence[Path], jobs: int, render: Callable[[RunResult], str] | None = None
) -> Iterator[Verification]:
    """Verdicts in the order of the folders, computed by `jobs` processes; `render` as in `verify`.

    Raises: UsageError if there is no complete run in one of them; NnrunError if a process was
    killed, or none can be started; OSError if likewise.
    """
    jobs = min(jobs, len(folders))
    if jobs <= 1:
        for folder in folders:
            yield verify(folder, render=render)
        return
    pool = ProcessPool(jobs, __name__)
    try:
        tasks = [_Verifying(folder, render, given(), everything()) for folder in folders]
        futures = [pool.submit(task, lambda: None) for task in tasks]
        for folder, future in zip(folders, futures, strict=True):
            while not future.done():
                pool.wait([future], _WAIT_SECONDS)
                pool.check()
            try:
                verdict: Verification | NnrunError = future.result()
            except WorkerLostError as error:
                message = f"{folder}: the process that verified it has ended"
                raise NnrunError(message) from error
            if isinstance(verdict, NnrunError):
                raise verdict
            yield verdict
    finally:
        pool.close()  # they save nothing


@dataclass(frozen=True)
class _Verifying:
    """The verification of one run, as a task of the pool."""

    folder: Path
    render: Callable[[RunResult], str] | None
    given: Given
    plugins: Shipment
    data: str = ""
    is_short: bool = False

    @property
    def key(self) -> str:
        return str(self.folder)

    def run(self, channel: Channel, data: None) -> Verification | NnrunError:
        """The verdict; or the error that `verify` raises on purpose, with its exit code."""
        give_again(self.given)
        receive(self.plugins)
        try:
            return verify(self.folder, render=self.render)
        except NnrunError as error:
            return error


def main(word: str) -> None:
    """Verify one run after the other, in a process."""
    process_main.main(word)
