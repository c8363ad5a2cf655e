"""Where predictions go: a file or stdout, once all are made."""

from __future__ import annotations

import codecs
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from nnrun.characters import escaped
from nnrun.errors import UsageError
from nnrun.models.writing import WRITERS
from nnrun.runs.storage.durable import kept_back, written_whole


def format_of(file: Path | None, kind: str) -> str:
    """By the end of the output's name; `kind` if it has none.

    Raises: UsageError for an end of another format.
    """
    end = "" if file is None else file.suffix.lower()
    if end and end.removeprefix(".") not in WRITERS:
        raise UsageError(f"-o {file}: predictions are written as .csv, .json or .npz, by the name")
    return end.removeprefix(".") or kind


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
    stdout: Any = _Terminal() if sys.stdout.isatty() else sys.stdout.buffer
    with kept_back(stdout) as sink:
        yield sink


@contextmanager
def held_sink() -> Iterator[BinaryIO]:
    """A temporary file, in memory while it is small."""
    with tempfile.SpooledTemporaryFile(max_size=2**24) as held:
        yield cast(BinaryIO, held)


class _Terminal:
    """Shows UTF-8 text without what steers a terminal."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, content: bytes) -> None:
        sys.stdout.write(escaped(self._decode(content)))
