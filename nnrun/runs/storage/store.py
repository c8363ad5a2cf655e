"""The results folder. Nothing else in nnrun writes there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from nnrun.config.names import is_written
from nnrun.errors import NnrunError, UsageError
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.contents import files_of, pack_checkpoint, parse_checkpoint
from nnrun.runs.storage.data_place import stored_config, without_folders
from nnrun.runs.storage.durable import (
    acquire,
    has_leftovers,
    lacking_folders,
    locked,
    new_folder,
    read_regular,
    remove_empty,
    remove_leftovers,
    write_together,
)
from nnrun.runs.storage.group_commit import GroupCommit
from nnrun.runs.storage.progress import PROGRESS, write_unforced
from nnrun.runs.storage.reading import (
    CHECKPOINT,
    OPTIONAL,
    REPORT,
    WRITTEN,
    StoredRun,
    read_run,
)
from nnrun.runs.storage.staged import Staged, commit, is_temporary
from nnrun.systems import system
from nnrun.training.state import TrainingState

# The folder of one run: links are refused, and only its holder writes to it.


class RunFolder:
    """The folder of one run, `<root>/<name>/<run id>/`, which need not exist yet.

    Reading needs no lock; writing needs `lock` first. `locked_run` is the run that was there
    then.

    Raises: UsageError if a link leads out of the results folder, or to itself.
    """

    def __init__(self, root: Path, name: str, run_id: str) -> None:
        self.path = root.joinpath(name, run_id)
        self.locked_run: StoredRun | None = None
        self._root = root
        self._lock: system.Folder | None = None
        self._refuse_links()

    def read(self) -> StoredRun | None:
        """The run in the folder; None where no run has left anything."""
        return read_run(self.path, placed=True)

    def checkpoint(self) -> TrainingState | None:
        """The state that an interrupted run continues from; None if there is no checkpoint.

        Raises: NnrunError if it is damaged.
        """
        path = self.path / CHECKPOINT
        try:
            return parse_checkpoint(read_regular(path), self.path.name, path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NnrunError(f"{path}: {error.strerror or error}") from error

    def lock(self, *, wait: bool = False) -> bool:
        """Hold the folder, making it if needed, and read it; false where another process holds it.

        Raises: UsageError if it has become a link that leads elsewhere; OSError if it cannot be
        made.
        """
        lock = acquire(self.path, wait=wait)
        try:
            self._refuse_links()  # it may have become a link since the first look
            if lock is not None and lock.names():
                self.locked_run = self.read()
        except BaseException:
            if lock is not None:
                lock.close()
            raise
        self._lock = lock
        return lock is not None

    @property
    def is_complete(self) -> bool:
        """Whether the locked folder, if still in place, has a complete run now."""
        if not self._held.is_in_place:
            return False
        run = self.read()
        return run is not None and run.complete

    def save_checkpoint(self, state: TrainingState) -> None:
        """Write the state of a run that is still in progress."""
        content = {CHECKPOINT: pack_checkpoint(state, self.path.name)}
        write_together(self.path, content, self._held)

    def save_progress(self, content: bytes) -> None:
        """Write how far a run has come; it is not forced to the disk.

        Raises: OSError if the disk is full, or the folder not writable.
        """
        write_unforced(self._held, PROGRESS, content)

    def stage(self, files: dict[str, bytes], note: Callable[[str], None]) -> Staged:
        """Write files under temporary names, for `commit`: where the last one is, all are there.

        Optional files of an earlier result are superseded. A link that has taken the folder's place
        is removed, and `note` called with a sentence about it.

        Raises: OSError if the disk is full, or another process holds a folder in this one's place.
        """
        self._reclaim(note)
        folder = self._held
        found = set(folder.names())
        leftovers = {*filter(is_temporary, found)}
        for name in leftovers:
            with suppress(FileNotFoundError):
                folder.unlink(name)
        for name in found.intersection(files):
            with suppress(OSError):  # fails unless an empty folder has taken the file's place
                folder.rmdir(name)
        return Staged(self.path, files, folder, found & OPTIONAL - files.keys())

    @property
    def is_tidy(self) -> bool:
        """Whether nothing is left of interrupted writes, and no checkpoint."""
        try:
            return not has_leftovers(self.path) and not (self.path / CHECKPOINT).exists()
        except OSError:
            return True

    def tidy(self) -> None:
        """Remove leftovers of interrupted writes, and the checkpoint of a complete run."""
        with suppress(OSError):  # leftovers that cannot be removed do no harm
            if self._held.is_in_place and not self.is_tidy:
                if self.is_complete:
                    (self.path / CHECKPOINT).unlink(missing_ok=True)
                remove_leftovers(self.path)

    def remove(self) -> bool:
        """Remove the run, the report last; whether nothing else was in its folder.

        Raises: UsageError if another process holds it; OSError if a file cannot be removed.
        """
        if not self.lock():
            raise UsageError(f"{self.path} is in use by another process")
        try:
            folder = self._held
            there = {*folder.names()}
            written = {name for name in there if name in WRITTEN or is_temporary(name)}
            if there == written:
                for name in sorted(written, key=REPORT.__eq__):
                    folder.unlink(name)
            return there == written
        finally:
            self.release()

    def release(self) -> None:
        """Let other processes have the folder; an empty one is removed."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        with suppress(OSError):
            lock.remove_if_empty()
            self.path.parent.rmdir()
        lock.close()

    @property
    def _held(self) -> system.Folder:
        assert self._lock is not None, "only the holder of a run's folder writes to it"
        return self._lock

    def _reclaim(self, note: Callable[[str], None]) -> None:
        """Hold the folder under its name again, if it was removed or replaced since `lock`."""
        if self._held.is_in_place:
            return
        for path in (self.path.parent, self.path):
            if system.is_link(path):
                path.unlink()
                note(f"a link had taken the place of {self.path}, and was removed")
        again = acquire(self.path, wait=False)
        if again is None:
            raise OSError(errno.EBUSY, "another process holds its folder", str(self.path))
        self._held.close()
        self._lock = again

    def _refuse_links(self) -> None:
        if not system.is_link(self.path) and not system.is_link(self.path.parent):
            return
        try:
            self.path.stat()
        except OSError as error:
            if error.errno == errno.ELOOP:  # `resolve` fails or does not, by Python's version
                message = f"{self.path} is a link that leads to itself; remove it"
                raise UsageError(message) from None
        if not self.path.resolve().is_relative_to(self._root.resolve()):
            raise UsageError(f"{self.path} leads out of the results folder; remove that link")


V = TypeVar("V")
_ATTEMPTS = 10


class Index(Protocol):
    """What a store asks of an index of its runs, such as `RunIndex` of `runs/catalog`."""

    def find(self, name: str, run_id: str) -> RunRecord | None:
        """The record of a complete run, without its config and network; None says nothing."""

    def add(self, record: RunRecord) -> None:
        """Note a run that was just written."""

    def refresh(self, names: Iterable[str], coming: int = 0) -> None:
        """Read the runs of these experiments again; `coming` runs will be saved next."""

    def close(self) -> None:
        """Close the files that `find` has opened; it may be called again."""


class NoIndex:
    """The index of a store that has none."""

    def find(self, name: str, run_id: str) -> RunRecord | None:
        return None

    def add(self, record: RunRecord) -> None:
        pass

    def refresh(self, names: Iterable[str], coming: int = 0) -> None:
        pass

    def close(self) -> None:
        pass


class Store:
    """Runs on disk, each in `<root>/<name>/<run id>/`.

    `render` makes report.md from a result; `index` makes large sweeps faster.
    """

    def __init__(
        self, root: Path, render: Callable[[RunResult], str], index: Index | None = None
    ) -> None:
        self.root = root
        self.render = render
        self.index: Index = NoIndex() if index is None else index
        self._group = GroupCommit()
        self._lacking = lacking_folders(root)

    def run(self, name: str, run_id: str) -> RunFolder:
        """The folder of a run, which need not exist yet.

        Raises: UsageError if a link leads out of the results folder, or to itself.
        """
        return RunFolder(self.root, name, run_id)

    def begun(self, name: str) -> set[str]:
        """The ids of all runs of this name that have left anything, and perhaps of others."""
        with suppress(OSError):  # as where there is no such folder
            return {*os.listdir(self.root / name)}
        return set()

    def folder(self, name: str, run_id: str) -> Path:
        """The path of a run's folder; raises as `run` does."""
        return self.run(name, run_id).path

    def save(self, result: RunResult, folder: RunFolder, note: Callable[[str], None]) -> RunRecord:
        """Write a run's folder, which is locked, the report last: where that is, all is there.

        `note` is called with a sentence about anything unusual. Returns the record as it is
        written, with the digests of the other files.
        """
        record, files = self._content(result, folder.path)
        staged = folder.stage(files, note)
        commit([staged])
        staged.conclude()
        return record

    def save_soon(
        self,
        result: RunResult,
        folder: RunFolder,
        note: Callable[[str], None],
        then: Callable[[RunRecord], V],
    ) -> Future[V]:
        """Do what `save` does, together with other results that come soon.

        The folder must stay locked until the future is done; its value is that of `then`, which is
        called with the record once it is on the disk.
        """
        record, files = self._content(result, folder.path)

        def conclude() -> V:
            self.index.add(record)
            return then(record)

        return self._group.add(folder.stage(files, note), conclude)

    def hurry(self) -> None:
        """Force to the disk what has been saved so far, without waiting for more."""
        self._group.hurry()

    def leave(self) -> None:
        """Remove the results folder if it is empty, and was not there when work began."""
        remove_empty(self._lacking)

    def rename(self, old: str, new: str) -> None:
        """Give the folder of an experiment, or of a run, another name, in one step.

        Raises: UsageError if a link leads out of the results folder; OSError if the folder cannot
        be renamed, as where there is one of the new name.
        """
        source, target = (self.folder(*name.partition("/")[::2]) for name in (old, new))
        with new_folder(target.parent):
            source.rename(target)
        remove_empty([source.parent])

    def write(self, files: dict[str, bytes], name: str = "") -> None:
        """Write files of the results folder itself, or of an experiment's folder in it."""
        assert name or all(map(is_written, files)), "no experiment may have the name of such a file"
        folder = self.folder(name, "") if name else self.root
        for left in reversed(range(_ATTEMPTS)):
            try:
                with locked(folder):
                    remove_leftovers(folder)
                    write_together(folder, files)
                return
            except FileNotFoundError:
                # On a disk without locks between machines, another one has tidied these files away.
                if not left:
                    raise

    def _content(self, result: RunResult, folder: Path) -> tuple[RunRecord, dict[str, bytes]]:
        """The record with the digests of the other files, and all files, the report last.

        The files name no folder of the author, the record does.
        """
        record, files = files_of(_to_share(result, folder), self.render)
        return replace(result.record, files=record.files), files


def _to_share(result: RunResult, folder: Path) -> RunResult:
    record, traceback = result.record, result.traceback
    config = stored_config(record.config, folder, record.dataset["sha256"])
    error = record.error and without_folders(record.error, record.config)
    traceback = traceback and without_folders(traceback, record.config)
    return replace(result, record=replace(record, config=config, error=error), traceback=traceback)
