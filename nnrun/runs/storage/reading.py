"""Reading a run's folder: report, history, and whether they are as written. Nothing else reads
reports.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import nan
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun import NUMERICS_VERSION
from nnrun.characters import csv_line
from nnrun.errors import DataError, NnrunError, UsageError
from nnrun.models import MODEL
from nnrun.runs.record import SCHEMA_VERSION, RunRecord, by_seed, is_run_id
from nnrun.runs.storage.data_place import usable_config
from nnrun.runs.storage.durable import read_regular
from nnrun.runs.storage.progress import PROGRESS, read_progress
from nnrun.runs.storage.sealed import DIGEST, is_sealed
from nnrun.runs.storage.sweep_progress import folders, names_in
from nnrun.runs.storage.validation import invalid_part

if TYPE_CHECKING:
    from nnrun.training.state import HistoryRow


# The names of a run's files.

REPORT, CONFIG, HISTORY = "report.json", "config.yaml", "history.csv"
CHECKPOINT, STATE = "checkpoint.safetensors", "state.safetensors"
TRACEBACK = "traceback.txt"
WATCHED = "watched.safetensors"
MARKDOWN = "report.md"
OPTIONAL = {CHECKPOINT, MODEL, STATE, TRACEBACK, WATCHED}
"""Files that not every result has: without one, that of an earlier result is removed."""
WRITTEN = OPTIONAL | {REPORT, CONFIG, HISTORY, MARKDOWN}
"""All files of a run's folder."""


# Writing and reading the learning curve of a run, history.csv.

_MOST_BYTES = 2**30
_COUNTS = ("iteration", "_rows")


def history_csv(history: list[HistoryRow]) -> str:
    """A line for each evaluation; floats in their shortest exact form."""
    columns = list(history[0]) if history else ["iteration", "epoch", "learning_rate"]
    return "".join(map(csv_line, [columns, *map(itemgetter(*columns), history)]))


def load_history(folder: Path) -> list[HistoryRow]:
    """The evaluations that `history_csv` wrote, to the last bit; empty without the file.

    Raises: NnrunError if it is damaged, or cannot be read.
    """
    file = folder / HISTORY
    try:
        header, *rows = csv.reader(_lines(file), strict=True)
        return [
            {name: _cell(name, cell) for name, cell in zip(header, row, strict=True)}
            for row in rows
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise NnrunError(f"{file}: damaged, or cannot be read ({error})") from error


def _cell(name: str, text: str) -> float | int:
    return int(text) if name.endswith(_COUNTS) else float(text)


def read_history(folder: Path) -> dict[str, list[float]]:
    """The columns of history.csv by name, for display: NaN for cells that are not numbers; empty if
    the file is no learning curve.
    """
    try:
        rows = list(csv.reader(_lines(folder / HISTORY)))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    if not rows or "iteration" not in rows[0]:
        return {}
    header, *lines = rows
    whole = [line for line in lines if len(line) == len(header)]
    return {name: [_number(line[i]) for line in whole] for i, name in enumerate(header)}


def _lines(file: Path) -> io.StringIO:
    """The lines of a file, which others may have changed."""
    return io.StringIO(read_regular(file, _MOST_BYTES).decode(), newline="")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


REMEDY = "nnrun train --force trains it again"
"""What to do about a run that is damaged, if its folder has its own name."""
STUCK = (
    "this version of nnrun has other numerics, and cannot continue what another has begun; train "
    "anew, and remove the folder"
)
"""Of an interrupted run whose numerics are of another version of nnrun."""

_OF_ANOTHER = f"{REPORT} is that of "
_OTHER_VERSION = f"{REPORT} is of another version of nnrun"

_LARGEST_REPORT = 16 * 2**20


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
    written = read_regular(report, _LARGEST_REPORT)
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
    values: dict[str, Any] = _parsed(read_regular(folder / REPORT, _LARGEST_REPORT))
    return {key: value for key, value in values.items() if key != DIGEST}


def _parsed(written: bytes) -> Any:
    return json.loads(written, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


# The files of a run compared with the digests in its report.

WITHOUT_MODEL = ("diverged", "failed")
"""The statuses of runs that keep no model."""
# Bytes that fit into memory on any machine.
_SMALL = 2**24


def changed_file(folder: Path, record: RunRecord, names: Iterable[str] = ()) -> str | None:
    """What is wrong with the first of these files, by default all, that has changed; else None."""
    wanted = {*names}
    for name, digest in record.files.items():
        if wanted and name not in wanted:
            continue
        if Path(name).name != name:
            return f"{REPORT} names a file in another folder"
        try:
            _refuse_huge(folder / name)
            content = read_regular(folder / name)
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror or error}"
        except DataError as error:
            return str(error)
        if hashlib.sha256(content).hexdigest() != digest:
            return f"{name} is not the file that was written"
    return None


def unnamed_file(folder: Path, record: RunRecord) -> str | None:
    """What is wrong with the first file of nnrun's that the report does not name; else None.

    A checkpoint may be left over where a run was completed since.
    """
    unnamed = (OPTIONAL - {CHECKPOINT}).difference(record.files)
    there = (name for name in sorted(unnamed) if (folder / name).exists())
    return next((f"{REPORT} does not name {name}" for name in there), None)


def _refuse_huge(file: Path) -> None:
    size = file.stat().st_size
    if size > _SMALL:
        from nnrun.data.rows import refuse_if_too_big  # noqa: PLC0415  # slow to import

        refuse_if_too_big(size, file.name)


def refuse_changed(folder: Path, record: RunRecord, *names: str) -> None:
    """Raise a UsageError if one of these files has changed since it was written."""
    fault = changed_file(folder, record, names)
    if fault is not None:
        raise UsageError(damaged(folder, fault))


def refuse_unusable_model(folder: Path, record: RunRecord) -> None:
    """Raise a UsageError if there is no model, as after a divergence, or it has changed."""
    kept = record.beside is None and record.status not in WITHOUT_MODEL
    if MODEL not in record.files and not kept:
        raise UsageError(f"{no_model(record)}; name another run, as {record.name}/best")
    refuse_changed(folder, record, MODEL)


def no_model(record: RunRecord) -> str:
    """The error message for a run without a model."""
    if record.beside is not None:
        return (
            f"{record.name}/{record.run_id} trained scikit-learn's '{record.beside}' to compare "
            "networks with; only its scores are kept"
        )
    return f"{record.name}/{record.run_id} {record.status}: no trained model is kept"
