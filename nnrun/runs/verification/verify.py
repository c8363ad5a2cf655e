"""Verifying that a run can be reproduced: first its files, then its values.

A run is trained again from its stored config and data, in memory. Then every cell of its history,
every metric, every weight and all other reproducible values of its report are compared. On the same
machine with the same versions all must have the same bits. In another environment all numbers must
be within a tolerance (`agreement.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from nnrun import __version__
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.config.settings import flatten
from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.models.files import MODEL
from nnrun.models.tensors import unpack
from nnrun.models.weights import weights_sha256
from nnrun.plugins.loading import changed
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.environment import environment
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.names import REPORT
from nnrun.runs.storage.contents.watched import read_watched
from nnrun.runs.storage.data_place import usable_config
from nnrun.runs.storage.integrity import changed_file
from nnrun.runs.storage.reading import StoredRun, read_run, remedy
from nnrun.runs.stored_config import load_named, load_stored
from nnrun.runs.verification.agreement import Difference, first, is_tolerable, pairs

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
        differences: the first value that differs of each kind: history, metrics, weights, the
            record of a watched run, and the rest of the report.
        environment: what differs in it: for each key, the value then and now.
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


def verify(folder: Path, load: Callable[[DatasetConfig], Dataset] | None = None) -> Verification:
    """Check the files of a run, train it again on the data that `load` gives, and compare.

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
        return _compared(verdict, folder, run, run.record, load)
    except (NnrunError, OSError) as error:
        code = getattr(error, "exit_code", 1)
        return replace(verdict, finding="not_verified", reason=str(error), exit_code=code)


def _fault(folder: Path, record: RunRecord) -> str | None:
    """What is wrong with the first file that has changed; None if none has."""
    fault = changed_file(folder, record)
    if fault is not None:
        return fault
    known = record.weights_sha256
    if known is not None and weights_sha256(unpack(folder / MODEL)[0]) != known:
        return f"the weights in {MODEL} are not those of the report"
    try:
        read_watched(folder, record)
    except NnrunError as error:
        return str(error)
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
    result = train(prepared, None, _until(record)).result
    assert result is not None, "nothing was there before"
    moved = _changes(record, result.record)
    config = usable_config(experiment.source.data, folder, record.dataset["sha256"])
    kinds = list(pairs(folder, record, result, config, moved))
    verdict = replace(
        verdict,
        differences=[one for kind in kinds if (one := first(kind)) is not None],
        environment=moved,
    )
    if not verdict.differences:
        return replace(verdict, finding="same_bits")
    dtype = prepared.config.training.dtype
    if moved and all(is_tolerable(pair, dtype) for kind in kinds for pair in kind):
        return replace(verdict, finding="within_tolerance")
    return replace(
        verdict, finding="differs", reason=_reason(record, result.record, kinds), exit_code=3
    )


def _until(record: RunRecord) -> Callbacks | None:
    """Stops where the run was stopped."""
    if record.status != "stopped":
        return None
    return Callbacks(evaluated=lambda row: bool(row["iteration"] >= record.timing["iterations"]))


def _reason(stored: RunRecord, again: RunRecord, kinds: list[list[Difference]]) -> str:
    if stored.status != again.status:
        return f"it was {stored.status}, and now it is {again.status}"
    *numbers, _ = kinds
    if any(first(kind) is not None for kind in numbers):
        return "the numbers differ"
    return "its report has values that training does not reproduce"


def _changes(stored: RunRecord, again: RunRecord) -> dict[str, tuple[Any, Any]]:
    """The parts of the environment that differ."""
    before = flatten({"nnrun": stored.nnrun_version, **stored.environment})
    now = flatten({"nnrun": __version__, **again.environment, **environment()})
    if stored.nnrun_version != __version__:
        before["engine"], now["engine"] = stored.engine, again.engine
    return {
        key: (before.get(key), now.get(key))
        for key in sorted((before.keys() | now.keys()) - {"threads"})
        if before.get(key) != now.get(key)
    }
