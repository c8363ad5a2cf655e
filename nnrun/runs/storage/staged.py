"""Files under temporary names, which replace older files once they are on the disk.

    written ─► forced to the disk ─► renamed ─► the folder's list of names forced to the disk

No file gets its name before all files of its folder are on the disk. Names are given in order:
where the last one is, all are there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nnrun import unfinished
from nnrun.systems import system

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


# A file whose name starts and ends like this is left from an interrupted write.
_PREFIX, _SUFFIX = ".", ".partial"
_THREADS = 4
T = TypeVar("T")


def temporary_name(name: str, random_bytes: int = 4) -> str:
    """The name of a file while it is written."""
    return f"{_PREFIX}{name}.{os.urandom(random_bytes).hex()}{_SUFFIX}"


def is_temporary(name: str) -> bool:
    """Whether a name is that of a file while it is written."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


class Staged:
    """Files of one folder under temporary names; `commit` renames them.

    Nothing is written to another folder that takes this one's place.

    Args:
        folder: of the files.
        contents: of the files, by name.
        opened: the folder, if it is open already; it must stay open.
        superseded: names of older files, which `conclude` removes.

    Raises: OSError if the disk is full, or the folder not writable; nothing is left.
    """

    def __init__(
        self,
        folder: Path,
        contents: Mapping[str, bytes],
        opened: system.Folder | None = None,
        superseded: Collection[str] = (),
    ) -> None:
        self.folder = folder
        self.error: OSError | None = None
        self._folder = system.Folder(folder) if opened is None else opened
        self._is_ours = opened is None
        self._superseded = superseded
        self._temporary: dict[str, str] = {}
        self._files: dict[str, int] = {}
        unfinished.begin(self.discard)
        try:
            for name, content in contents.items():
                self._write(name, content)
        except BaseException:
            self.discard()
            raise

    @property
    def files(self) -> list[tuple[Staged, str]]:
        """The files, to be forced to the disk."""
        return [(self, name) for name in self._files]

    def conclude(self) -> None:
        """After `commit`, raise its error, or remove superseded files."""
        if self.error is not None:
            raise self.error
        for name in self._superseded:
            with suppress(FileNotFoundError):
                self._folder.unlink(name)

    def discard(self) -> None:
        """Remove files that were not renamed, and close all."""
        while self._files:
            os.close(self._files.popitem()[1])
        while self._temporary:
            with suppress(OSError):
                self._folder.unlink([*self._temporary.values()][-1])
            self._temporary.popitem()
        unfinished.end(self.discard)
        if self._is_ours:
            self._folder.close()
            self._is_ours = False

    def begin_to_force(self) -> None:
        """Ask the disk to start on all files at once."""
        for descriptor in self._files.values():
            system.start_writing(descriptor)

    def force(self, name: str) -> None:
        """Wait until a file is on the disk, and close it."""
        try:
            system.force(self._files[name])
            os.close(self._files.pop(name))
        except OSError as error:
            raise self._named(error, name) from error

    def rename(self) -> None:
        """Rename all files."""
        if not self._folder.is_in_place:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))
        for name, temporary in [*self._temporary.items()]:
            try:
                self._folder.replace(temporary, name)
            except OSError as error:
                raise self._named(error, name) from error
            del self._temporary[name]

    def force_names(self) -> None:
        """Wait until the folder's list of names is on the disk."""
        self._folder.sync()

    def attempt(self, step: Callable[[], None]) -> None:
        """Take a step, unless an earlier one failed; keep its error."""
        if self.error is None:
            try:
                step()
            except OSError as error:
                self.error = error

    def _write(self, name: str, content: bytes) -> None:
        temporary = temporary_name(name)
        try:
            self._temporary[name] = temporary
            descriptor = self._files[name] = self._folder.create(temporary)
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            raise self._named(error, name) from error

    def _named(self, error: OSError, name: str) -> OSError:
        """The error with the file's final name in place of the temporary one."""
        return OSError(error.errno, error.strerror, str(self.folder / name))


def commit(group: Sequence[Staged]) -> None:
    """Force the files of several folders to the disk together, and rename them.

    A folder whose files fail has an `error`; those that were not renamed are removed. Staged files
    cannot be used again.
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


def _shared(do: Callable[[T], None], work: Sequence[T]) -> None:
    """Do work in a few threads, since a disk serves several requests at the same time.

    In one thread, 16 results took 2.4 times as long to commit, a single one 1.3 times.
    This thread does what is left if no other can be started; nothing goes on after an error. Each
    gets a part of the work, since handing over every file by itself costs 2% of a short run.
    """
    from concurrent.futures import wait  # noqa: PLC0415  # reading a run needs no threads

    parts = [work[first::_THREADS] for first in range(min(_THREADS, len(work)))]
    futures: list[Future[None]] = []
    try:
        with suppress(RuntimeError):
            for part in parts[1:]:
                futures.append(_threads().submit(_each, do, part))  # noqa: PERF401  # keeps those before an error
        for part in parts[:1] + parts[1 + len(futures) :]:
            _each(do, part)
    finally:
        wait(futures)
    for future in futures:
        future.result()


def _each(do: Callable[[T], None], part: Sequence[T]) -> None:
    for work in part:
        do(work)


@cache
def _threads() -> ThreadPoolExecutor:
    """Cached, since starting threads takes longer than their work."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # as above

    return ThreadPoolExecutor(_THREADS, "sync")


system.after_fork(_threads.cache_clear)
