"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, TypeVar

# Whatever starts and ends like this is the rest of a write that was cut off.
_PREFIX, _SUFFIX = ".", ".partial"
V = TypeVar("V")


def read_regular(path: Path, most: int | None = None) -> bytes:
    """The content of a file that is nothing else: no pipe, which might never end, and no device.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        OSError: it is something else, larger, or cannot be read.
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
    """Write beside the file, force it to the disk, then put it in the file's place.

    Raises:
        OSError: the disk is full, or the folder not writable; the old file is untouched.
    """
    write_together(path.parent, {path.name: content})


def write_together(folder: Path, contents: dict[str, bytes]) -> None:
    """Write the files of one folder, so that where the last of them is, all are there.

    They are forced to the disk at the same time, which takes hardly longer than a single one does.

    Raises:
        OSError: the disk is full, or the folder not writable; some old files may be replaced.
    """
    temporary = {name: str(_temporary(folder / name)) for name in contents}
    syncs: list[Future[None]] = []
    try:
        for name, path in temporary.items():
            syncs.append(_threads().submit(_force, path, _write(path, contents[name])))
        wait(syncs)
        for sync in syncs:
            sync.result()
        for name, path in temporary.items():
            os.replace(path, f"{folder}/{name}")
    except BaseException:
        for path in temporary.values():
            with suppress(OSError):
                os.unlink(path)
        raise
    _sync_folder(folder)


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """A folder for what is written meanwhile, and those it lies in; without that, none stays.

    Raises:
        OSError: it cannot be made.
    """
    lacking = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # somebody else may have put something there
            for place in lacking:
                place.rmdir()
        raise


def in_background(write: Callable[[], V]) -> Future[V]:
    """What writes files, done while other work goes on: most of its time it waits for the disk."""
    return _writers().submit(write)


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write piece by piece; it takes its place at the end, if all went well.

    What is no regular file, such as a pipe, is written to as it is.

    Raises:
        OSError: the disk is full, or the folder not writable; the old file is untouched.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    temporary = _temporary(path)
    try:
        with _named_errors(temporary):
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


@cache
def _threads() -> ThreadPoolExecutor:
    """Kept, since to start threads would take longer than what they do."""
    return ThreadPoolExecutor(8, "sync")


@cache
def _writers() -> ThreadPoolExecutor:
    """Each waits for several of the others."""
    return ThreadPoolExecutor(4, "write")


# A process that was forked has none of its parent's threads.
os.register_at_fork(after_in_child=_threads.cache_clear)
os.register_at_fork(after_in_child=_writers.cache_clear)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{_PREFIX}{path.name}.{secrets.token_hex(4)}{_SUFFIX}")


def _final(temporary: Path) -> Path:
    name = temporary.name.removeprefix(_PREFIX).removesuffix(_SUFFIX).rpartition(".")[0]
    return temporary.with_name(name)


def _write(path: str, content: bytes) -> int:
    """Write a new file; the descriptor that it can be forced to the disk by."""
    with _named_errors(path), open(path, "xb") as file:
        file.write(content)
        file.flush()
        return os.dup(file.fileno())


def _force(path: str, descriptor: int) -> None:
    try:
        with _named_errors(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named_errors(temporary: Path | str) -> Iterator[None]:
    """Errors of the disk name the file that was to be written.

    A full disk names none, and a temporary name would tell the user nothing.
    """
    try:
        yield
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(_final(Path(temporary)))
        raise


def _sync_folder(folder: Path) -> None:
    """Force a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_leftover(name: str) -> bool:
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def has_leftovers(folder: Path) -> bool:
    """Whether a write that was cut off has left something."""
    return any(map(_is_leftover, os.listdir(folder)))


def remove_leftovers(folder: Path) -> None:
    """Remove what writes that were cut off have left; only while nobody else writes there."""
    for name in filter(_is_leftover, os.listdir(folder)):
        (folder / name).unlink(missing_ok=True)
