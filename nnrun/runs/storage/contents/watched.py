"""Reading the record of a watched run, which others may have written."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nnrun.errors import NnrunError
from nnrun.models.tensors import unpack
from nnrun.nn.signature import Array
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.names import WATCHED
from nnrun.runs.storage.durable.files import read_regular
from nnrun.training.watching.validation import is_valid
from nnrun.training.watching.watched import Watched

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
