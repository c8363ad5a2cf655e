"""Messages of workers that are not trusted: JSON and arrays, validated; and versions, compared.

Nothing in them is executed, and a result counts only for the run that was submitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from nnrun import NUMERICS_VERSION, __version__
from nnrun.errors import NnrunError
from nnrun.models.tensors import pack, unpack
from nnrun.models.weights import weights_sha256
from nnrun.nn.signature import Array
from nnrun.pool.task import WorkerLostError, deserialize_error, serialize_error
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.contents.checkpoints import pack_checkpoint, parse_checkpoint
from nnrun.runs.storage.contents.progress import is_history
from nnrun.runs.storage.contents.validation import invalid_part
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress
from nnrun.training.watching.validation import is_valid
from nnrun.training.watching.watched import Watched

Versions = dict[str, str]


class OtherVersionError(WorkerLostError):
    """A worker has another version, and trains nothing."""


def versions() -> Versions:
    """Those of this process."""
    return {
        "nnrun": __version__,
        "numerics of nnrun": str(NUMERICS_VERSION),
        "NumPy": np.__version__,
    }


def require_same(worker: str, found: Versions, expected: Versions) -> None:
    """Compare the versions of a worker with those of the sweep.

    Raises: OtherVersionError if they differ.
    """
    for name, version in expected.items():
        if found.get(name) != version:
            raise OtherVersionError(
                f"the worker {worker} has {name} {found.get(name)}, and this process {version}, "
                "so that bits could differ; install the same versions"
            )


# Errors that are of the worker, and not of the run; subclasses first.
_KINDS = {"version": OtherVersionError, "lost": WorkerLostError}
_STATES = ("checkpoint", "ending")
_ORIGIN = Path("what the worker gave back")


def pack_result(result: RunResult | None) -> bytes:
    """A result as bytes."""
    if result is None:
        return b""
    arrays = _under("weights", result.weights or {})
    values: dict[str, Any] = {
        "record": result.record.to_dict(),
        "history": result.history,
        "weights": result.weights is not None,
        "metadata": result.metadata,
    }
    for name in _STATES:
        state: TrainingState | None = getattr(result, name)
        values[name] = None if state is None else state.values
        arrays |= _under(name, {} if state is None else state.arrays)
    watched = result.watched
    values["watched"] = None if watched is None else watched.values
    arrays |= _under("watched", {} if watched is None else watched.arrays)
    return pack(arrays, values)


def pack_error(error: Exception) -> bytes:
    """An error in place of a result, as bytes, since Dask would pickle exceptions."""
    message, traceback = serialize_error(error)
    kind = next((name for name, found in _KINDS.items() if isinstance(error, found)), "")
    return pack({}, {"error": message, "traceback": traceback, "kind": kind})


def unpack_result(content: bytes, key: str) -> RunResult | None:
    """The result in the bytes of `pack_result` or `pack_error` that a worker returned.

    `key` is the `name/run id` of the run that was submitted.

    Raises: NnrunError if the content is invalid, or of another run; or the error of the worker.
    """
    if content == b"":
        return None
    try:
        arrays, values = unpack(_ORIGIN, content)
        if "error" in values:
            raise _error(values)
        record = RunRecord.from_dict(values["record"])
        part = invalid_part(record)
        if part is not None:
            raise NnrunError(f"{_ORIGIN} is no result: its '{part}' is not what it should be")
        if f"{record.name}/{record.run_id}" != key:
            raise NnrunError(f"{_ORIGIN} is the run {record.name}/{record.run_id}")
        weights = _of("weights", arrays) if values["weights"] else None
        states = {
            name: None if values[name] is None else TrainingState(_of(name, arrays), values[name])
            for name in _STATES
        }
        known = values["watched"]
        watched = None if known is None else Watched(_of("watched", arrays), known)
        history, metadata = list(values["history"]), dict(values["metadata"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NnrunError(f"{_ORIGIN} is no result") from error
    if record.weights_sha256 != (None if weights is None else weights_sha256(weights)):
        raise NnrunError(f"{_ORIGIN} has other weights than its report says")
    if watched is not None and not is_valid(watched):
        raise NnrunError(f"{_ORIGIN} has no valid record of its network")
    return RunResult(
        record, history, weights, metadata, states["checkpoint"], states["ending"], watched=watched
    )


def pack_message(content: Progress | TrainingState, key: str) -> list[Any] | bytes:
    """A message of a run in progress, as plain data."""
    if isinstance(content, Progress):
        history = [dict(row) for row in content.history]
        return [content.iteration, content.total, content.loss, content.train_seconds, history]
    return pack_checkpoint(content, _run_id(key))


def unpack_message(content: Any, key: str) -> Progress | TrainingState | None:
    """The message in the data of `pack_message`; None if it is invalid."""
    if isinstance(content, bytes):
        try:
            return parse_checkpoint(content, _run_id(key), _ORIGIN)
        except NnrunError:
            return None
    if not isinstance(content, list) or len(content) != 5:
        return None
    iteration, total, loss, seconds, history = content
    counts = all(type(count) is int and count >= 0 for count in (iteration, total))
    numbers = (seconds, 0.0 if loss is None else loss)
    if not counts or not total or not all(type(n) in (int, float) and isfinite(n) for n in numbers):
        return None
    return Progress(iteration, total, loss, seconds, history) if is_history(history) else None


def _error(values: dict[str, Any]) -> NnrunError:
    message, traceback = (str(values[name]) for name in ("error", "traceback"))
    kind = _KINDS.get(str(values["kind"]))
    return deserialize_error(message, traceback) if kind is None else kind(message)


def _run_id(key: str) -> str:
    return key.rpartition("/")[2]


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _of(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    begin = f"{prefix}/"
    return {name.removeprefix(begin): a for name, a in arrays.items() if name.startswith(begin)}
