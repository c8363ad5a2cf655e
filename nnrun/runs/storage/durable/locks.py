"""Locks on folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnrun.systems import system

_ATTEMPTS = 100


def acquire(path: Path, *, wait: bool) -> system.Folder | None:
    """Lock a folder, making it if needed; None if another process has it and `wait` is false."""
    attempts = 0
    while True:
        try:
            path.mkdir(parents=True, exist_ok=True)
            folder = system.Folder(path)
        except (FileNotFoundError, FileExistsError):  # its last holder has just removed it
            attempts += 1
            if attempts == _ATTEMPTS:  # or nothing can be made there
                raise
            continue
        try:
            if not folder.lock(wait=wait):
                folder.close()
                return None
            if folder.is_in_place:
                return folder
        except BaseException:
            folder.close()
            raise
        folder.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a folder, waiting until it is free."""
    folder = acquire(path, wait=True)
    try:
        yield
    finally:
        if folder is not None:
            folder.close()
