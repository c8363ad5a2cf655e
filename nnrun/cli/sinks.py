"""Where predictions go: a file or stdout, once all are made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nnrun.errors import UsageError
from nnrun.models.writing import WRITERS
from nnrun.runs.storage.files import kept_back, written_whole


def format_of(file: Path | None, kind: str) -> str:
    """By the name of the output, else `kind`."""
    named = "" if file is None else file.suffix.lower().removeprefix(".")
    return named if named in WRITERS else kind


@contextmanager
def opened_sink(file: Path | None, kind: str) -> Iterator[BinaryIO]:
    """The file, or stdout where there is none; nothing is written if the block fails."""
    if file is not None:
        with written_whole(file) as sink:
            yield sink
        return
    if kind == "npz" and sys.stdout.isatty():
        raise UsageError("an npz archive is nothing for a terminal; name a file with -o FILE")
    sys.stdout.flush()
    with kept_back(sys.stdout.buffer) as sink:
        yield sink
