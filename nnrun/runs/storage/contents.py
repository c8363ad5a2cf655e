"""The contents of a run's files: checkpoints, the files of a result, a record of a watched run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from nnrun.errors import NnrunError
from nnrun.models import MODEL
from nnrun.models.load import pack, unpack
from nnrun.nn.signature import Array
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.durable import read_regular
from nnrun.runs.storage.reading import (
    CHECKPOINT,
    CONFIG,
    HISTORY,
    MARKDOWN,
    REPORT,
    STATE,
    TRACEBACK,
    WATCHED,
    history_csv,
    load_history,
)
from nnrun.runs.storage.sealed import sealed, strict_json
from nnrun.runs.storage.validation import are_environments
from nnrun.training.state import TrainingState
from nnrun.training.watched import Watched, is_valid

# The digest is over the file with these zeros in its place.
_BLANK = "0" * 64
_MARK = b'\\"sha256\\": \\"'


def pack_checkpoint(state: TrainingState, run_id: str) -> bytes:
    """The bytes of a checkpoint, with a digest over all of them and the run's id."""
    values = {"sha256": _BLANK, "run_id": run_id, "state": state.values}
    content = pack(state.arrays, values)
    digest = hashlib.sha256(content).hexdigest()
    return content.replace(_MARK + _BLANK.encode(), _MARK + digest.encode(), 1)


def parse_checkpoint(content: bytes, run_id: str, path: Path) -> TrainingState:
    """The state in the bytes of a checkpoint; `path` is for errors, which are NnrunErrors."""
    arrays, values = unpack(path, content)
    try:
        digest = values["sha256"]
        blank = content.replace(_MARK + digest.encode(), _MARK + _BLANK.encode(), 1)
        sound = hashlib.sha256(blank).hexdigest() == digest and values["run_id"] == run_id
        state = TrainingState(arrays, values["state"])
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound or not _is_valid(state.values, arrays):
        raise NnrunError(f"{path}: damaged")
    return state


def _is_valid(values: Any, arrays: dict[str, Array]) -> bool:
    """Whether the values have the right types."""
    try:
        counts = (values["iteration"], values["optimizer_steps"])
        numbers = (values["train_seconds"], values["evaluation_seconds"], values["rate"])
        rows = [number for row in values["history"] for number in row.values()]
        environments = values["environments"]
    except (KeyError, TypeError, AttributeError):
        return False
    return (
        any(name == "theta" or name.endswith(".theta") for name in arrays)
        and are_environments(environments)
        and all(type(count) is int and count >= 0 for count in counts)
        and all(type(number) in (int, float) and isfinite(number) for number in (*numbers, *rows))
    )


# Reading the record of a watched run, which others may have written.

_MOST_BYTES = 2**26


def read_watched(folder: Path, record: RunRecord) -> Watched | None:
    """What was recorded of a run's network while it trained; None if it was not watched.

    Raises: NnrunError if the file is missing, not the one that was written, or no such record.
    """
    digest = record.files.get(WATCHED)
    if digest is None:
        return None
    file = folder / WATCHED
    try:
        content = read_regular(file, _MOST_BYTES)
    except OSError as error:
        raise NnrunError(f"{file}: cannot be read ({error.strerror or error})") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise NnrunError(f"{file}: not the file that was written")
    watched = Watched(*unpack(file, content))
    if not is_valid(watched):
        raise NnrunError(f"{file}: not what nnrun writes")
    return watched


def frames(folder: Path, record: RunRecord) -> list[tuple[int, dict[str, Array]]]:
    """The weights and buffers at some iterations, by name; empty where a run has kept none.

    All frames have the same names, shapes and dtypes; whether these are those of the run's network
    is for the caller to compare.

    Raises: NnrunError as `read_watched` does.
    """
    watched = read_watched(folder, record)
    return [] if watched is None else watched.frames


# The files of a run's folder: made of a result, and read back as one.

_ENDING = "state"
"""The key of the model's file under which the values of the run's last state are."""


def files_of(
    result: RunResult, render: Callable[[RunResult], str]
) -> tuple[RunRecord, dict[str, bytes]]:
    """The record with the digests of the other files, and all files, the report last.

    `render` makes report.md.
    """
    files = {
        CONFIG: result.config_yaml.encode(),
        HISTORY: history_csv(result.history).encode(),
        MARKDOWN: render(result).encode(),
    }
    if result.weights is not None:
        files[MODEL] = pack(result.weights, described_model(result))
    if result.ending is not None and result.ending.arrays:
        files[STATE] = pack(result.ending.arrays, {})
    if result.checkpoint is not None:
        files[CHECKPOINT] = pack_checkpoint(result.checkpoint, result.record.run_id)
    if result.watched is not None:
        files[WATCHED] = pack(result.watched.arrays, result.watched.values)
    if result.traceback is not None:
        files[TRACEBACK] = result.traceback.encode(errors="backslashreplace")
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    record = replace(result.record, files=digests)
    files[REPORT] = sealed(strict_json(record.to_dict()).encode())
    return record, files


def described_model(result: RunResult) -> dict[str, Any]:
    """The values that are stored with the weights."""
    ending = {} if result.ending is None else {_ENDING: result.ending.values}
    return {**result.metadata, **ending}


def read_result(folder: Path, record: RunRecord) -> RunResult:
    """The result in the files that the report names; `files_of` makes the same files of it.

    Raises: NnrunError if one of them is not what nnrun writes.
    """
    weights, metadata = _unpacked(folder / MODEL) if MODEL in record.files else (None, {})
    arrays = _unpacked(folder / STATE)[0] if STATE in record.files else {}
    ending = None
    if arrays or _ENDING in metadata:
        ending = TrainingState(arrays, metadata.pop(_ENDING, {}))
    checkpoint, traceback = None, None
    if CHECKPOINT in record.files:
        path = folder / CHECKPOINT
        checkpoint = parse_checkpoint(read_regular(path), record.run_id, path)
    if TRACEBACK in record.files:
        traceback = read_regular(folder / TRACEBACK).decode(errors="replace")
    watched = read_watched(folder, record)
    history = load_history(folder)
    return RunResult(record, history, weights, metadata, checkpoint, ending, traceback, watched)


def _unpacked(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    arrays, values = unpack(path)
    if not isinstance(values, dict):
        raise NnrunError(f"{path}: not what nnrun writes")
    return arrays, values
