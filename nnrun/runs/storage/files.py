"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from nnrun.runs.storage.staged import Staged, commit, is_temporary, temporary_name

_IN_MEMORY = 2**24  # bytes of output that are held in memory


def read_regular(path: Path, most: int | None = None) -> bytes:
    """The content of a regular file: a pipe might never end.

    Args:
        path: of the file.
        most: the largest size in bytes.

    Raises:
        OSError: it is no regular file, larger, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, "it is far too large", str(path))
        return file.read()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file: the new one is written under a temporary name, forced to the disk, renamed.

    Raises:
        OSError: the disk is full, or the folder not writable; the old file is untouched.
    """
    write_together(path.parent, {path.name: content})


def write_together(folder: Path, contents: dict[str, bytes], descriptor: int | None = None) -> None:
    """Write the files of one folder, so that where the last of them is, all are there.

    Args:
        folder: of the files.
        contents: of the files, by name.
        descriptor: of the folder, if it is open already.

    Raises:
        OSError: the disk is full, or the folder not writable; some old files may be replaced.
    """
    staged = Staged(folder, contents, descriptor)
    commit([staged])
    if staged.error is not None:
        raise staged.error


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder and its parents; remove them again if the block fails.

    Raises:
        OSError: it cannot be made.
    """
    lacking = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # not empty: another process has written there
            for place in lacking:
                place.rmdir()
        raise


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write piece by piece; it replaces the old one at the end, if the block succeeds.

    A pipe or device gets all content at the end, too.

    Raises:
        OSError: the disk is full, or the folder not writable; the old file is untouched.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file, kept_back(file) as held:
            yield held
        return
    temporary = path.with_name(temporary_name(path.name))
    try:
        with _named_errors(temporary, path):
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextmanager
def kept_back(sink: BinaryIO) -> Iterator[BinaryIO]:
    """A file to write piece by piece; its content goes to `sink` if the block succeeds.

    Large contents are kept in a temporary file, not in memory.

    Raises:
        OSError: there is no room for it; `sink` got nothing.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as held:
        folder = Path(tempfile.gettempdir())
        with _named_errors(folder, folder):
            yield cast(BinaryIO, held)
        held.seek(0)
        shutil.copyfileobj(held, sink)


@contextmanager
def _named_errors(temporary: Path, path: Path) -> Iterator[None]:
    """Put the name of the final file into errors of the disk.

    The error of a full disk has no name, and a temporary name means nothing to the user.
    """
    try:
        yield
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise


def _sync_folder(folder: Path) -> None:
    """Force the entries of a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def has_leftovers(folder: Path) -> bool:
    """Whether an interrupted write has left temporary files."""
    return any(map(is_temporary, os.listdir(folder)))


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of interrupted writes; the folder must be locked."""
    for name in filter(is_temporary, os.listdir(folder)):
        (folder / name).unlink(missing_ok=True)
