"""Checkpoints: the state of an unfinished run, with a digest that shows any change."""

from __future__ import annotations

import hashlib
from math import isfinite
from pathlib import Path
from typing import Any

from nnrun.errors import NnrunError
from nnrun.models.tensors import pack, unpack
from nnrun.nn.signature import Array
from nnrun.runs.storage.contents.validation import are_environments
from nnrun.training.state import TrainingState

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
        "theta" in arrays
        and are_environments(environments)
        and all(type(count) is int and count >= 0 for count in counts)
        and all(type(number) in (int, float) and isfinite(number) for number in (*numbers, *rows))
    )
