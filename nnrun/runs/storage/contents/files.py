"""The files of a run's folder: made of a result, and read back as one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnrun.errors import NnrunError
from nnrun.models.files import MODEL
from nnrun.models.tensors import pack, unpack
from nnrun.nn.signature import Array
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.contents.checkpoints import pack_checkpoint, parse_checkpoint
from nnrun.runs.storage.contents.history import history_csv, load_history
from nnrun.runs.storage.contents.names import (
    CHECKPOINT,
    CONFIG,
    HISTORY,
    MARKDOWN,
    REPORT,
    STATE,
    TRACEBACK,
    WATCHED,
)
from nnrun.runs.storage.contents.strict_json import sealed, strict_json
from nnrun.runs.storage.contents.watched import read_watched
from nnrun.runs.storage.durable.files import read_regular
from nnrun.training.state import TrainingState

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
