"""Locks on folders."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_ATTEMPTS = 100


@dataclass(frozen=True)
class Lock:
    """An exclusive lock on a folder.

    It is on the folder itself and belongs to the open descriptor. So it ends with the process that
    holds it, however that ends, and leaves no lock file.
    """

    folder: Path
    descriptor: int

    @property
    def is_in_place(self) -> bool:
        """Whether the locked folder is still the one under its name."""
        return is_still_there(self.folder, self.descriptor)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in the folder."""
        return not os.listdir(self.descriptor)

    def release(self) -> None:
        """Unlock the folder."""
        os.close(self.descriptor)


def acquire(folder: Path, *, wait: bool) -> Lock | None:
    """Lock a folder, making it if needed; None if another process has it and `wait` is false."""
    attempts = 0
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, FileExistsError):  # its last holder has just removed it
            attempts += 1
            if attempts == _ATTEMPTS:  # or nothing can be made there
                raise
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if is_still_there(folder, descriptor):
            return Lock(folder, descriptor)
        os.close(descriptor)


def is_still_there(folder: Path, descriptor: int) -> bool:
    """Whether an open folder is still the one under its name."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder, waiting until it is free."""
    lock = acquire(folder, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
