"""What a run's folder says. There is no other reader of reports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nnrun.errors import NnrunError, UsageError
from nnrun.models.files import MODEL
from nnrun.runs.files import read_regular
from nnrun.runs.identity import is_run_id
from nnrun.runs.record import SCHEMA_VERSION, RunRecord
from nnrun.runs.soundness import unsound_part

REPORT, CONFIG, HISTORY = "report.json", "config.yaml", "history.csv"
CHECKPOINT, STATE = "checkpoint.safetensors", "state.safetensors"
TRACEBACK = "traceback.txt"

REMEDY = "nnrun train --force trains it again"
"""What to do about a run that is damaged."""

_MOST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class StoredRun:
    """One run folder.

    Args:
        name: of the experiment.
        run_id: of the run.
        record: its report; None where there is none that can be read.
        trouble: why it is not what `train` would leave.
        unfinished: there is no report yet, but a checkpoint to go on from.
    """

    name: str
    run_id: str
    record: RunRecord | None
    trouble: str | None = None
    unfinished: bool = False

    @property
    def complete(self) -> bool:
        """Whether it has reached its end, or diverged: no such run is trained again."""
        if self.record is None or self.trouble is not None:
            return False
        return self.record.status in ("completed", "diverged")

    @property
    def is_damaged(self) -> bool:
        """Whether it is neither whole nor going on: only force trains it again."""
        return self.trouble is not None and not self.unfinished


def damaged(place: Path | str, why: str | None) -> str:
    """What every command says of a run that is damaged."""
    return f"{place} is damaged: {why}; {REMEDY}"


def refuse_damaged(run: StoredRun | None, folder: Path) -> None:
    """Find out that a run is as it was written.

    Raises:
        UsageError: it is damaged.
    """
    if run is not None and run.is_damaged:
        raise UsageError(damaged(folder, run.trouble))


def read_run(folder: Path, *, placed: bool = False) -> StoredRun | None:
    """The run in a folder; None where no run has left anything.

    Args:
        folder: of the run.
        placed: whether it lies in a results folder, so that its place says which run it must be;
            elsewhere, a folder that is called by a run id says no more than that.
    """
    name, run_id = folder.absolute().parent.name, folder.name
    try:
        record = _read(folder / REPORT)
        other = record.run_id != run_id and (placed or is_run_id(run_id))
        if other or (placed and record.name != name):
            raise NnrunError(f"{REPORT} is that of {record.name}/{record.run_id}")
    except (FileNotFoundError, NotADirectoryError):
        if not (folder / CHECKPOINT).exists():
            return None
        return StoredRun(name, run_id, None, "it goes on from its checkpoint", unfinished=True)
    except OSError as error:
        trouble = f"{REPORT} cannot be read: {error.strerror or error}"
        return StoredRun(name, run_id, None, trouble)
    except NnrunError as error:
        return StoredRun(name, run_id, None, str(error))
    missing = record.status == "completed" and not (folder / MODEL).is_file()
    return StoredRun(name, run_id, record, f"{MODEL} is missing" if missing else None)


def _read(report: Path) -> RunRecord:
    try:
        content = json.loads(read_regular(report, _MOST_BYTES), parse_constant=_refuse)
        version = content["schema_version"]
        if version != SCHEMA_VERSION:
            raise NnrunError(f"{REPORT} is of another version of nnrun ({version})")
        record = RunRecord.from_dict(content)
        part = unsound_part(record)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NnrunError(f"{REPORT} is not what nnrun writes") from None
    if part is not None:
        raise NnrunError(f"the '{part}' of {REPORT} is not what it should be")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(constant)
