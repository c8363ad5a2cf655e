"""Files that only this user can have written.

Checks are made on the opened file, since a name may point to another file a moment later.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OTHERS_WRITE = 0o022
OTHERS_READ = 0o044
# Links are not followed, and opening a FIFO does not block.
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotPrivateError(Exception):
    """A file or folder belongs to others, or others can change it; the message begins with it."""


def read(folder: Path, name: str, *, forbidden: int = OTHERS_WRITE) -> bytes | None:
    """The content of a file, or None if it does not exist.

    `forbidden` are permissions that the file must not have.

    Raises:
        NotPrivateError: the file, or the folder, could be somebody else's.
        OSError: it cannot be read.
    """
    with _opened(folder) as directory:
        try:
            descriptor = os.open(name, os.O_RDONLY | _SAFE, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotPrivateError(f"{folder / name}: is a link; remove it") from None
            raise
        try:
            _demand(descriptor, folder / name, forbidden, kind=stat.S_ISREG)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)


def write(folder: Path, name: str, content: bytes, *, replace: bool = True) -> None:
    """Write a file whole or not at all, for this user alone.

    Without `replace` an existing file stays.

    Raises:
        NotPrivateError: the folder could be somebody else's.
        OSError: it cannot be written.
    """
    with _opened(folder) as directory:
        temporary = f"{name[:8]}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE
        descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            if replace:
                os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            else:
                with suppress(FileExistsError):
                    os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)


def prune(folder: Path, most: int) -> None:
    """Remove the files written first, until all have at most so many bytes together."""
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process has removed it
                found.append((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path))
    excess = sum(size for _, size, _ in found) - most
    for _, size, path in sorted(found):
        if excess <= 0:
            break
        with suppress(FileNotFoundError):
            os.unlink(path)
        excess -= size


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The folder's descriptor, once it is known to be ours."""
    _make(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _SAFE)
    try:
        _demand(descriptor, folder, OTHERS_WRITE, kind=stat.S_ISDIR)
        yield descriptor
    finally:
        os.close(descriptor)


def _make(folder: Path) -> None:
    """Make a folder and those above it, for this user alone whatever the umask is."""
    if not folder.is_dir():
        _make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(0o700)


def _demand(descriptor: int, path: Path, forbidden: int, *, kind: Callable[[int], bool]) -> None:
    state = os.fstat(descriptor)
    if not kind(state.st_mode):
        raise NotPrivateError(f"{path}: is no regular file; remove it")
    if state.st_uid != os.geteuid():
        raise NotPrivateError(f"{path}: belongs to another user")
    if state.st_mode & forbidden & OTHERS_WRITE:
        raise NotPrivateError(f"{path}: others can write to it; `chmod go-w` changes that")
    if state.st_mode & forbidden:
        raise NotPrivateError(f"{path}: others can read it; remove it, and another is made")
