"""Files that wait beside those whose places they take, until they are on the disk.

    written ─► forced to the disk ─► renamed ─► the folder's list of names forced to the disk

No file gets its name before all files of its folder are on the disk. Names are given in order:
where the last one is, all are there.
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Semaphore
from typing import TypeVar

from nnrun.runs.storage.locks import is_still_there

# Whatever starts and ends like this is the rest of a write that was cut off.
_PREFIX, _SUFFIX = ".", ".partial"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_THREADS = 4
T = TypeVar("T")


def temporary_name(name: str) -> str:
    """What a file is called while it is written."""
    return f"{_PREFIX}{name}.{secrets.token_hex(4)}{_SUFFIX}"


def is_temporary(name: str) -> bool:
    """Whether a file is called as while it is written."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


class Staged:
    """Files of one folder, written under temporary names; `commit` gives them their own.

    Nothing is written to what takes the folder's place meanwhile.

    Args:
        folder: where they belong.
        contents: of the files, by their names.
        descriptor: of the folder, where it is open already, and stays so for as long.

    Raises:
        OSError: the disk is full, or the folder not writable; nothing is left.
    """

    def __init__(
        self, folder: Path, contents: Mapping[str, bytes], descriptor: int | None = None
    ) -> None:
        self.folder = folder
        self.error: OSError | None = None
        self._folder = _open_folder(folder) if descriptor is None else descriptor
        self._opened = descriptor is None
        self._temporary: dict[str, str] = {}
        self._files: dict[str, int] = {}
        try:
            for name, content in contents.items():
                self._write(name, content)
        except BaseException:
            self.discard()
            raise

    @property
    def files(self) -> list[tuple[Staged, str]]:
        """Those that have to be forced to the disk."""
        return [(self, name) for name in self._files]

    def discard(self) -> None:
        """Remove what has not got its name, and close what is open."""
        for temporary in self._temporary.values():
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self._folder)
        for descriptor in self._files.values():
            os.close(descriptor)
        if self._opened:
            os.close(self._folder)
        self._temporary, self._files = {}, {}

    def begin_to_force(self) -> None:
        """Have the disk begin with all files, so that it need not wait for each after the other."""
        if sys.platform == "linux":  # where this advice means that
            for descriptor in self._files.values():
                with suppress(OSError):  # it is only advice
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def force(self, name: str) -> None:
        """Wait until a file is on the disk."""
        try:
            os.fsync(self._files[name])
        except OSError as error:
            raise self._named(error, name) from error

    def rename(self) -> None:
        """Give all files their names."""
        if not is_still_there(self.folder, self._folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))
        for name, temporary in [*self._temporary.items()]:
            try:
                os.replace(temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            except OSError as error:
                raise self._named(error, name) from error
            del self._temporary[name]

    def force_names(self) -> None:
        """Wait until the folder's list of names is on the disk."""
        os.fsync(self._folder)

    def attempt(self, step: Callable[[], None]) -> None:
        """Take a step, if all went well so far; note how it fails."""
        if self.error is None:
            try:
                step()
            except OSError as error:
                self.error = error

    def _write(self, name: str, content: bytes) -> None:
        temporary = temporary_name(name)
        try:
            descriptor = os.open(temporary, _NEW, 0o666, dir_fd=self._folder)
            self._files[name], self._temporary[name] = descriptor, temporary
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            raise self._named(error, name) from error

    def _named(self, error: OSError, name: str) -> OSError:
        """The error with the file that was to be written: a temporary name would tell nothing."""
        return OSError(error.errno, error.strerror, str(self.folder / name))


def commit(group: Sequence[Staged]) -> None:
    """Give the files of several folders their names, forced to the disk together.

    Each folder has its own `error`, if it comes to that: then all that has not got its name yet is
    removed. What is staged is of no more use after it.
    """
    try:
        for staged in group:
            staged.begin_to_force()
        files = [file for staged in group for file in staged.files]
        _shared(lambda file: file[0].attempt(lambda: file[0].force(file[1])), files)
        for staged in group:
            staged.attempt(staged.rename)
        _shared(lambda staged: staged.attempt(staged.force_names), group)
    finally:
        for staged in group:
            staged.discard()


def _open_folder(folder: Path) -> int:
    """A descriptor of a folder."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


def _shared(do: Callable[[T], None], work: Sequence[T]) -> None:
    """Do work in a few threads: for those that wait for it at one time, a disk is no slower.

    This one is among them, and alone where no other can be started.
    """
    left, done = deque(work), Semaphore(0)
    errors: list[BaseException] = []

    def take() -> None:
        with suppress(IndexError):
            while True:
                each = left.popleft()
                try:
                    do(each)
                except BaseException as error:  # raised below, where all have ended
                    errors.append(error)
                done.release()

    with suppress(RuntimeError):
        for _ in range(min(_THREADS, len(work)) - 1):
            _threads().submit(take)
    take()
    for _ in work:
        done.acquire()
    if errors:
        raise errors[0]


@cache
def _threads() -> ThreadPoolExecutor:
    """Kept, since to start threads would take longer than what they do."""
    return ThreadPoolExecutor(_THREADS, "sync")


# A process that was forked has none of its parent's threads.
os.register_at_fork(after_in_child=_threads.cache_clear)
