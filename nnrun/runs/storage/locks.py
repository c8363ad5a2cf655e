"""One run, one writer."""

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
    """A folder held alone.

    The lock is on the folder itself and belongs to the open file, so it goes when its holder does,
    however that ends, and there is no lock file to clean up.
    """

    folder: Path
    descriptor: int

    @property
    def is_in_place(self) -> bool:
        """Whether what is locked is what others find under the folder's name."""
        return is_still_there(self.folder, self.descriptor)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in the folder."""
        return not os.listdir(self.descriptor)

    def release(self) -> None:
        """Let go."""
        os.close(self.descriptor)


def acquire(folder: Path, *, wait: bool) -> Lock | None:
    """Hold a folder, making it if needed; None if another holds it and we do not wait.

    Args:
        folder: to hold.
        wait: while another process holds it.

    Raises:
        OSError: the folder cannot be made.
    """
    attempts = 0
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, FileExistsError):  # who held it has just removed it
            attempts += 1
            if attempts == _ATTEMPTS:  # or it is a place where nothing can be made
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
    """Whether what was opened is what others find under this name."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder alone, waiting for whoever holds it now."""
    lock = acquire(folder, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
