"""Reading a run's folder. Nothing else reads reports."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnrun import NUMERICS_VERSION
from nnrun.errors import NnrunError, UsageError
from nnrun.models.files import MODEL
from nnrun.runs.identity import by_seed, is_run_id
from nnrun.runs.record import SCHEMA_VERSION, RunRecord
from nnrun.runs.storage.contents.names import CHECKPOINT, CONFIG, REPORT
from nnrun.runs.storage.contents.progress import PROGRESS, read_progress
from nnrun.runs.storage.contents.strict_json import DIGEST, is_sealed
from nnrun.runs.storage.contents.validation import invalid_part
from nnrun.runs.storage.data_place import usable_config
from nnrun.runs.storage.durable.files import read_regular
from nnrun.runs.storage.folders import folders, names_in

REMEDY = "nnrun train --force trains it again"
"""What to do about a run that is damaged, if its folder has its own name."""
STUCK = (
    "this version of nnrun has other numerics, and cannot continue what another has begun; train "
    "anew, and remove the folder"
)
"""Of an interrupted run whose numerics are of another version of nnrun."""

_OF_ANOTHER = f"{REPORT} is that of "
_OTHER_VERSION = f"{REPORT} is of another version of nnrun"

_MOST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class StoredRun:
    """One run folder.

    Args:
        name: of the experiment.
        run_id: of the run.
        record: its report; None where there is none that can be read.
        problem: what is wrong with it, if anything.
        unfinished: it has begun, but there is no report yet.
    """

    name: str
    run_id: str
    record: RunRecord | None
    problem: str | None = None
    unfinished: bool = False

    @property
    def complete(self) -> bool:
        """Whether it reached its end, or diverged; such a run is not trained again."""
        if self.record is None or self.problem is not None:
            return False
        return self.record.status in ("completed", "diverged")

    @property
    def is_stopped(self) -> bool:
        """Whether a callback stopped it; a command without one continues it."""
        return self.record is not None and not self.problem and self.record.status == "stopped"

    @property
    def is_damaged(self) -> bool:
        """Whether it is damaged, or unreadable; only `--force` trains it again."""
        return self.problem is not None and not self.unfinished

    @property
    def is_unreadable(self) -> bool:
        """Whether another version of nnrun has written it, in a form of its own."""
        return self.problem == _OTHER_VERSION


def damaged(place: Path | str, why: str | None, folder: Path | None = None) -> str:
    """What every command says of a run that is damaged, in a folder that is the place or known."""
    folder = place if isinstance(place, Path) else folder
    state = "cannot be read" if why == _OTHER_VERSION else "is damaged"
    return f"{place} {state}: {why}; {remedy(why, folder)}"


def remedy(why: str | None, folder: Path | None = None) -> str:
    """What to do about a run that is damaged for this reason; of a folder, as a whole command."""
    trains = _training_again(folder)
    if why is None or not why.startswith(_OF_ANOTHER):
        return trains
    run_id = why.rpartition("/")[2]
    return f"if its folder was renamed, rename it back to {run_id}; otherwise {trains}"


def _training_again(folder: Path | None) -> str:
    if folder is None or not (folder / CONFIG).is_file():
        return REMEDY
    results = str(folder.parent.parent)
    command = ["nnrun", "train", str(folder / CONFIG), "--force", "--results", results]
    return f"{shlex.join(command)} trains it again"


def refuse_damaged(run: StoredRun | None, folder: Path) -> None:
    """Raise a UsageError if a run is damaged."""
    if run is not None and run.is_damaged:
        raise UsageError(damaged(folder, run.problem))


def read_run(folder: Path, *, placed: bool = False) -> StoredRun | None:
    """The run in a folder; None where no run has left anything.

    Args:
        folder: of the run.
        placed: whether the folder is in a results folder. Then the run's name is that of the parent
            folder, which may have been renamed, and its id must be the folder's name. Elsewhere the
            id must be the folder's name only if that is a run id.
    """
    name, run_id = folder.absolute().parent.name, folder.name
    try:
        record = _read(folder / REPORT)
        if record.run_id != run_id and (placed or is_run_id(run_id)):
            raise NnrunError(f"{_OF_ANOTHER}{record.name}/{record.run_id}")
        if placed and record.name != name:
            record = replace(record, name=name)
    except (FileNotFoundError, NotADirectoryError):
        why = _why_unfinished(folder)
        return None if why is None else StoredRun(name, run_id, None, why, unfinished=True)
    except OSError as error:
        problem = f"{REPORT} cannot be read: {error.strerror or error}"
        return StoredRun(name, run_id, None, problem)
    except NnrunError as error:
        return StoredRun(name, run_id, None, str(error))
    missing = record.weights_sha256 is not None and not (folder / MODEL).is_file()
    return StoredRun(name, run_id, record, f"{MODEL} is missing" if missing else None)


def is_stuck(numerics: object) -> bool:
    """Whether an interrupted run with this version of the numerics cannot be continued.

    The same config is another run by now.
    """
    return numerics != NUMERICS_VERSION


def list_runs(root: Path) -> Iterator[StoredRun]:
    """All runs in a results folder, ordered by name and seed; other folders are skipped."""
    for name in names_in(root):
        for run_id in sorted(folders(root / name), key=by_seed):
            run = read_run(root / name / run_id, placed=True)
            if run is not None:
                yield run


def _why_unfinished(folder: Path) -> str | None:
    """What is said of a folder without a report; None where no run has begun."""
    progress, saved = read_progress(folder), (folder / CHECKPOINT).exists()
    begun = (folder / PROGRESS).exists() if progress is None else not progress.waits
    if not saved and not begun:
        return None
    if progress is not None and is_stuck(progress.numerics):
        return STUCK
    if saved:
        return "it continues from its checkpoint"
    return "it has no checkpoint yet, and starts over"


def _read(report: Path) -> RunRecord:
    written = read_regular(report, _MOST_BYTES)
    try:
        if not is_sealed(written):
            raise NnrunError(f"{REPORT} is not the file that was written")
        content = _parsed(written)
        if content["schema_version"] != SCHEMA_VERSION:
            raise NnrunError(_OTHER_VERSION)
        record = RunRecord.from_dict(content)
        part = invalid_part(record)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NnrunError(f"{REPORT} is not what nnrun writes") from None
    if part is not None:
        raise NnrunError(f"the '{part}' of {REPORT} is not what it should be")
    config = usable_config(record.config, report.parent, record.dataset["sha256"])
    return replace(record, config=config)


def report_values(folder: Path) -> dict[str, Any]:
    """All that the report of a run says, which `read_run` has read before.

    Raises: OSError if it cannot be read any more.
    """
    values: dict[str, Any] = _parsed(read_regular(folder / REPORT, _MOST_BYTES))
    return {key: value for key, value in values.items() if key != DIGEST}


def _parsed(written: bytes) -> Any:
    return json.loads(written, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(constant)
