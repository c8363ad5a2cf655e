"""The commit of a config's repository, read without Git, which would take 5 to 20 ms and might
execute what the repository configures. Whether files have changed since is not known without it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from nnrun.config.load import UNNAMED
from nnrun.runs.storage.durable import read_regular

_MOST_BYTES = 2**24  # of the list of packed branches
_COMMIT = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"


def commit_of(file: Path) -> str | None:
    """The commit that is checked out where a config lies; None where that is not known, or where
    `NNRUN_COMMIT=0` is in the environment.
    """
    if file == UNNAMED or os.environ.get("NNRUN_COMMIT") == "0":
        return None
    places = (folder / ".git" for folder in Path(os.path.abspath(file)).parents)
    with suppress(OSError, UnicodeDecodeError, StopIteration):
        found = _head(next(place for place in places if place.exists()))
        return found if re.fullmatch(_COMMIT, found) else None
    return None


def _head(place: Path) -> str:
    if place.is_file():  # of another working tree, or of a submodule
        place = place.parent / _text(place).removeprefix("gitdir:").strip()
    kind, _, branch = (head := _text(place / "HEAD")).partition(" ")
    if kind != "ref:" or not branch.startswith("refs/") or ".." in branch:
        return head
    if (place / "commondir").exists():
        place /= _text(place / "commondir")
    if (place / branch).is_file():
        return _text(place / branch)
    packed = re.search(rf"^({_COMMIT}) {re.escape(branch)}$", _text(place / "packed-refs"), re.M)
    return packed[1] if packed else ""


def _text(file: Path) -> str:
    return read_regular(file, _MOST_BYTES).decode().strip()
