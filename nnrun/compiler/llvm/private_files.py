"""Files that only this user can have written.

Checks are made on the opened file, since a name may point to another file a moment later.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from nnrun.systems import system
from nnrun.unfinished import undone_on_failure

OTHERS_WRITE = 0o022
OTHERS_READ = 0o044


class NotPrivateError(Exception):
    """A file or folder belongs to others, or others can change it; the message begins with it."""


def read(folder: Path, name: str, *, forbidden: int = OTHERS_WRITE) -> bytes | None:
    """The content of a file, or None if it does not exist.

    `forbidden` are permissions that the file must not have.

    Raises:
        NotPrivateError: the file, or the folder, could be somebody else's.
        OSError: it cannot be read.
    """
    with closing(_opened(folder)) as opened:
        try:
            descriptor = opened.open(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotPrivateError(f"{folder / name}: is a link; remove it") from None
            raise
        try:
            _demand(os.fstat(descriptor), folder / name, forbidden, kind=stat.S_ISREG)
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
    with closing(_opened(folder)) as opened:
        temporary = f"{name[:8]}{secrets.token_hex(8)}"

        def remove() -> None:
            with suppress(FileNotFoundError):
                opened.unlink(temporary)

        with undone_on_failure(remove):
            with os.fdopen(opened.create(temporary, 0o600), "wb") as file:
                file.write(content)
            if replace:
                opened.replace(temporary, name)
            else:
                with suppress(FileExistsError):
                    opened.link(temporary, name)
                remove()


def prune(folder: Path, most: int) -> None:
    """Remove the files written first, until all have at most this many bytes together."""
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process has removed it
                found.append((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path))
    excess = sum(size for _, size, _ in found) - most
    for _, size, path in sorted(found):
        if excess <= 0:
            break
        with suppress(FileNotFoundError, PermissionError):  # Windows keeps one that is being read
            os.unlink(path)
        excess -= size


def _opened(folder: Path) -> system.Folder:
    """The folder, once it is known to be ours."""
    _make(folder)
    opened = system.Folder(folder, follow=False)
    try:
        _demand(opened.stat(), folder, OTHERS_WRITE, kind=stat.S_ISDIR)
    except BaseException:
        opened.close()
        raise
    return opened


def _make(folder: Path) -> None:
    """Make a folder and those above it, for this user alone, with any umask."""
    if not folder.is_dir():
        _make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(0o700)


def _demand(
    state: os.stat_result, path: Path, forbidden: int, *, kind: Callable[[int], bool]
) -> None:
    if not kind(state.st_mode):
        raise NotPrivateError(f"{path}: is no regular file; remove it")
    if fault := system.permission_fault(state, forbidden):
        raise NotPrivateError(f"{path}: {fault}")
