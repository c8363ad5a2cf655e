"""The files of a run compared with the digests in its report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from nnrun.errors import DataError, UsageError
from nnrun.models.files import MODEL
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.names import CHECKPOINT, OPTIONAL, REPORT
from nnrun.runs.storage.durable.files import read_regular
from nnrun.runs.storage.reading import damaged

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
        from nnrun.data.memory import refuse_if_too_big  # noqa: PLC0415  # slow to import

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
