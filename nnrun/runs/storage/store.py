"""The results folder. Nothing else in nnrun writes there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from nnrun.errors import NnrunError, UsageError
from nnrun.models.files import MODEL
from nnrun.models.tensors import pack
from nnrun.runs.catalog.index import KnownRuns, NewLines, refresh
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.checkpoints import pack_checkpoint, unpack_checkpoint
from nnrun.runs.storage.files import has_leftovers, remove_leftovers, write_together
from nnrun.runs.storage.group_commit import GroupCommit
from nnrun.runs.storage.history import history_csv
from nnrun.runs.storage.locks import Lock, acquire, locked
from nnrun.runs.storage.reading import (
    CHECKPOINT,
    CONFIG,
    HISTORY,
    REPORT,
    STATE,
    TRACEBACK,
    StoredRun,
    read_run,
)
from nnrun.runs.storage.seal import sealed
from nnrun.runs.storage.staged import Staged, is_temporary
from nnrun.runs.storage.strict_json import strict_json
from nnrun.training.state import TrainingState

# What a result may do without: where it does, that of an earlier one goes.
_PASSING = {CHECKPOINT, MODEL, STATE, TRACEBACK}
V = TypeVar("V")


class Store:
    """Runs on disk, each in `<root>/<name>/<run id>/`.

    Args:
        root: the results folder; made when the first run is written.
        render: makes report.md from a run's result.
    """

    def __init__(self, root: Path, render: Callable[[RunResult], str]) -> None:
        self.root = root
        self.render = render
        self._known = KnownRuns(root)
        self._new = NewLines(root)
        self._group = GroupCommit()

    def folder(self, name: str, run_id: str) -> Path:
        """Where a run lies.

        Raises:
            UsageError: a link leads out of the results folder, or to itself.
        """
        folder = self.root.joinpath(name, run_id)
        self._refuse_links(folder, name)
        return folder

    def _refuse_links(self, folder: Path, name: str) -> None:
        if not os.path.islink(folder) and not os.path.islink(f"{self.root}/{name}"):
            return
        try:
            inside = folder.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError):  # which of the two depends on Python's version
            raise UsageError(f"{folder} is a link that leads to itself; remove it") from None
        if not inside:
            raise UsageError(f"{folder} leads out of the results folder; remove that link")

    def lock(self, name: str, run_id: str, *, wait: bool = False, new: bool = False) -> Lock | None:
        """Hold a run's folder, making it if needed; to be released by `release`.

        Args:
            name: of the experiment.
            run_id: of the run.
            wait: while another process holds it; None is returned otherwise.
            new: only a folder that is made now; None where there is one, or none can be made in
                the experiment's.
        """
        folder = self.folder(name, run_id)
        if new:
            try:
                folder.mkdir()
            except OSError:
                return None
        lock = acquire(folder, wait=wait, made=new)
        try:
            self._refuse_links(folder, name)  # it may have become one since it was looked at
        except UsageError:
            if lock is not None:
                lock.release()
            raise
        return lock

    @staticmethod
    def reclaim(lock: Lock, note: Callable[[str], None]) -> Lock:
        """Hold a run's folder under its name again, where it was removed or replaced meanwhile.

        Args:
            lock: on the folder; released where another one is given back.
            note: is told of a link in its place, which is removed, and not followed.

        Raises:
            OSError: it cannot be made, or another process holds what has taken its place.
        """
        if lock.is_in_place:
            return lock
        for path in (lock.folder.parent, lock.folder):
            if path.is_symlink():
                path.unlink()
                note(f"a link had taken the place of {lock.folder}, and was removed")
        again = acquire(lock.folder, wait=False)
        if again is None:
            raise OSError(errno.EBUSY, "another process holds its folder", str(lock.folder))
        lock.release()
        return again

    @staticmethod
    def release(lock: Lock) -> None:
        """Let go of a run's folder; it goes as well if nothing was put into it."""
        try:
            for empty in (lock.folder, lock.folder.parent):
                empty.rmdir()
        except OSError:
            pass
        lock.release()

    def find(self, name: str, run_id: str) -> RunRecord | None:
        """The record of a run that reached its end, or diverged; None if there is no such thing."""
        run = self.read(name, run_id)
        return run.record if run and run.complete else None

    def read(self, name: str, run_id: str) -> StoredRun | None:
        """What a run's folder says; None where no run has left anything."""
        return read_run(self.folder(name, run_id), placed=True)

    def known(self, name: str, run_id: str) -> RunRecord | None:
        """The record of a complete run, without its config and network, if the index
        has it; None says nothing.
        """
        record = self._known.find(name, run_id)
        if record is not None:
            self.folder(name, run_id)  # would refuse a link that leads elsewhere
        return record

    def refresh_index(self, names: Iterable[str], coming: int = 0) -> None:
        """Let the index know of all runs of these experiments, if they are many.

        Args:
            names: of the experiments.
            coming: runs that will be saved next.
        """
        refresh(self.root, names, coming, self._new)

    def checkpoint(self, name: str, run_id: str) -> TrainingState | None:
        """Where an interrupted run can go on; None if there is no such place.

        Raises:
            NnrunError: it is damaged.
        """
        path = self.folder(name, run_id) / CHECKPOINT
        try:
            return unpack_checkpoint(path, run_id)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NnrunError(f"{path}: {error.strerror or error}") from error

    @staticmethod
    def save_checkpoint(lock: Lock, state: TrainingState) -> None:
        """Keep the state of a run that is still going on."""
        content = {CHECKPOINT: pack_checkpoint(state, lock.folder.name)}
        write_together(lock.folder, content, lock.descriptor)

    def save(self, result: RunResult, lock: Lock) -> RunRecord:
        """Write a run's folder, the report last: where that is, all is there.

        Args:
            result: of the run.
            lock: on its folder.

        Returns:
            The report with the digests of the other files, as it is written.

        Raises:
            OSError: the disk is full, or not writable.
        """
        record, files = self._content(result)
        found = _cleared(lock, files)
        write_together(lock.folder, files, lock.descriptor)
        _remove(lock, found & _PASSING - files.keys())
        return record

    def save_soon(self, result: RunResult, lock: Lock, then: Callable[[RunRecord], V]) -> Future[V]:
        """Write what `save` does; once it is on the disk, `then` has the last word.

        It is forced to the disk with other results that come soon; `hurry` waits for no more.

        Raises:
            OSError: the disk is full, or not writable; later, the future has such an error.
        """
        record, files = self._content(result)
        found = _cleared(lock, files)
        staged = Staged(lock.folder, files, lock.descriptor)
        superseded = found & _PASSING - files.keys()

        def conclude() -> V:
            _remove(lock, superseded)
            self._new.add(record)
            return then(record)

        return self._group.add(staged, conclude)

    def hurry(self) -> None:
        """Force to the disk what has been saved so far, without waiting for more."""
        self._group.hurry()

    def _content(self, result: RunResult) -> tuple[RunRecord, dict[str, bytes]]:
        """The report with the digests of the other files, and all files, itself the last."""
        record = result.record
        files = {
            CONFIG: result.config_yaml.encode(),
            HISTORY: history_csv(result.history).encode(),
            "report.md": self.render(result).encode(),
        }
        if result.weights is not None:
            ending = {} if result.ending is None else {"state": result.ending.values}
            files[MODEL] = pack(result.weights, {**result.metadata, **ending})
        if result.ending is not None and result.ending.arrays:
            files[STATE] = pack(result.ending.arrays, {})
        if result.checkpoint is not None:
            files[CHECKPOINT] = pack_checkpoint(result.checkpoint, record.run_id)
        if result.traceback is not None:
            files[TRACEBACK] = result.traceback.encode(errors="backslashreplace")
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        record = replace(record, files=digests)
        files[REPORT] = sealed(strict_json(record.to_dict()).encode())
        return record, files

    def tidy(self, name: str, run_id: str) -> None:
        """Remove what an interrupted writer has left in the folder of a complete run."""
        folder = self.folder(name, run_id)
        if not has_leftovers(folder) and not (folder / CHECKPOINT).exists():
            return
        lock = acquire(folder, wait=False)
        if lock is None:
            return
        try:
            if self.find(name, run_id) is not None:
                (folder / CHECKPOINT).unlink(missing_ok=True)
            remove_leftovers(folder)
        finally:
            self.release(lock)

    def write(self, files: dict[str, bytes]) -> None:
        """Write files of the results folder itself.

        Raises:
            OSError: the disk is full, or not writable.
        """
        with locked(self.root):
            remove_leftovers(self.root)
            write_together(self.root, files)


def _cleared(lock: Lock, files: Iterable[str]) -> set[str]:
    """The names in a run's folder, once what is in the way of these files was removed."""
    found = set(os.listdir(lock.descriptor))
    leftovers = {*filter(is_temporary, found)}
    _remove(lock, leftovers)
    for name in found.intersection(files):
        with suppress(OSError):  # unless an empty folder has taken its place
            os.rmdir(name, dir_fd=lock.descriptor)
    return found - leftovers


def _remove(lock: Lock, names: Iterable[str]) -> None:
    for name in names:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=lock.descriptor)
