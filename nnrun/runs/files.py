"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

# Whatever starts and ends like this is the rest of a write that was cut off.
_PREFIX, _SUFFIX = ".", ".partial"


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside the file, force it to the disk, then put it in the file's place.

    Raises:
        OSError: the disk is full, or the folder not writable; the old file is untouched.
    """
    temporary = path.with_name(f"{_PREFIX}{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # what there was no room for, or no folder
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what writes that were cut off have left; only while nobody else writes there."""
    for leftover in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        leftover.unlink(missing_ok=True)
