"""The Git commit that a config's repository is at, read without Git.

Git itself would take 5 to 20 ms, and what a repository configures might be executed. Whether files
have changed since the commit is more than its own files say, and stays open.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from nnrun.config.load import UNNAMED
from nnrun.runs.storage.durable import read_regular

_MOST_BYTES = 2**24  # of the list of packed branches
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_BRANCH = re.compile(r"ref: (refs/[^\s\0]+)")


def commit_of(file: Path) -> str | None:
    """The commit that is checked out where a config lies; None where that is not known.

    `NNRUN_COMMIT=0` in the environment says that it is not wanted.
    """
    if file == UNNAMED or os.environ.get("NNRUN_COMMIT") == "0":
        return None
    with suppress(OSError, UnicodeDecodeError):
        places = (folder / ".git" for folder in Path(os.path.abspath(file)).parents)
        place = next((place for place in places if place.exists()), None)
        return None if place is None else _checked_out(place)
    return None


def _checked_out(place: Path) -> str | None:
    if place.is_file():  # of another working tree, or of a submodule
        place = place.parent / _text(place).removeprefix("gitdir:").strip()
    head = _text(place / "HEAD")
    if (branch := _BRANCH.fullmatch(head)) is None:
        return head if _COMMIT.fullmatch(head) else None
    shared = place / "commondir"
    place = place / _text(shared) if shared.exists() else place
    if ".." in Path(branch[1]).parts:
        return None
    if (own := place / branch[1]).is_file():
        found = _text(own)
        return found if _COMMIT.fullmatch(found) else None
    lines = (line.partition(" ") for line in _text(place / "packed-refs").splitlines())
    packed = (commit for commit, _, name in lines if name == branch[1])
    return next(filter(_COMMIT.fullmatch, packed), None)


def _text(file: Path) -> str:
    return read_regular(file, _MOST_BYTES).decode().strip()
