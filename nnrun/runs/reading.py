"""What a run's folder says. There is no other reader of reports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nnrun.errors import NnrunError
from nnrun.models.load import MODEL
from nnrun.runs.record import SCHEMA_VERSION, RunRecord

REPORT, CONFIG, HISTORY = "report.json", "config.yaml", "history.csv"
CHECKPOINT, STATE = "checkpoint.safetensors", "state.safetensors"


@dataclass(frozen=True)
class StoredRun:
    """One run folder.

    Args:
        name: of the experiment.
        run_id: of the run.
        record: its report; None where there is none that can be read.
        trouble: why it is not what `train` would leave; such a run is trained again.
        unfinished: there is none yet, but a checkpoint to go on from.
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


def read_run(folder: Path) -> StoredRun | None:
    """The run in a folder; None where no run has left anything."""
    name, run_id = folder.parent.name, folder.name
    try:
        record = _read(folder / REPORT)
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
        content = json.loads(report.read_text(), parse_constant=_refuse)
        version = content["schema_version"]
        if version == SCHEMA_VERSION:
            return RunRecord.from_dict(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NnrunError(f"{REPORT} is damaged") from None
    raise NnrunError(f"written by another version of nnrun ({version})")


def _refuse(constant: str) -> None:
    raise ValueError(constant)
