"""The results folder. Nothing else in nnrun writes there."""

from __future__ import annotations

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
from nnrun.runs.checkpoints import pack_checkpoint, unpack_checkpoint
from nnrun.runs.files import (
    has_leftovers,
    in_background,
    remove_leftovers,
    write_atomically,
    write_together,
)
from nnrun.runs.history import history_csv
from nnrun.runs.index import KnownRuns, refresh
from nnrun.runs.locks import Lock, acquire, locked
from nnrun.runs.reading import (
    CHECKPOINT,
    CONFIG,
    HISTORY,
    REPORT,
    STATE,
    TRACEBACK,
    StoredRun,
    read_run,
)
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.strict_json import strict_json
from nnrun.training.state import TrainingState

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

    def folder(self, name: str, run_id: str) -> Path:
        """Where a run lies.

        Raises:
            UsageError: a link leads out of the results folder, or to itself.
        """
        folder = self.root.joinpath(name, run_id)
        if os.path.islink(folder) or os.path.islink(f"{self.root}/{name}"):
            try:
                inside = folder.resolve().is_relative_to(self.root.resolve())
            except (OSError, RuntimeError):  # which of the two depends on Python's version
                raise UsageError(f"{folder} is a link that leads to itself; remove it") from None
            if not inside:
                raise UsageError(f"{folder} leads out of the results folder; remove that link")
        return folder

    def lock(self, name: str, run_id: str, *, wait: bool = False) -> Lock | None:
        """Hold a run's folder, making it if needed; to be released by `release`.

        Args:
            name: of the experiment.
            run_id: of the run.
            wait: while another process holds it; None is returned otherwise.
        """
        return acquire(self.folder(name, run_id), wait=wait)

    def reclaim(self, lock: Lock) -> bool:
        """Have a held folder under its name again, where a link has taken its place meanwhile.

        Returns:
            Whether there was a link, which is removed, and not followed.
        """
        found = False
        for path in (lock.folder.parent, lock.folder):
            if path.is_symlink() and not lock.is_in_place:
                path.unlink()
                found = True
        return found

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
        self.folder(name, run_id)  # would refuse a link that leads elsewhere
        return self._known.find(name, run_id)

    def refresh_index(self, names: Iterable[str]) -> None:
        """Let the index know of all runs of these experiments, if they are many."""
        refresh(self.root, names)

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

    def save_checkpoint(self, name: str, run_id: str, state: TrainingState) -> None:
        """Keep the state of a run that is still going on."""
        path = self.folder(name, run_id) / CHECKPOINT
        write_atomically(path, pack_checkpoint(state, run_id))

    def save(self, result: RunResult) -> RunRecord:
        """Write a run's folder, the report last: where that is, all is there.

        Returns:
            The report with the digests of the other files, as it is written.

        Raises:
            OSError: the disk is full, or not writable.
        """
        record, files = self._content(result)
        _write_run(self.folder(record.name, record.run_id), files)
        return record

    def save_in_background(self, result: RunResult, then: Callable[[RunRecord], V]) -> Future[V]:
        """Begin to do what `save` does; once the run is on the disk, `then` has the last word."""
        record, files = self._content(result)
        folder = self.folder(record.name, record.run_id)

        def write() -> V:
            _write_run(folder, files)
            return then(record)

        return in_background(write)

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
        files[REPORT] = strict_json(record.to_dict()).encode()
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


def _write_run(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)  # it may have been removed since it was locked
    remove_leftovers(folder)
    found = set(os.listdir(folder))
    for name in found & files.keys():
        with suppress(OSError):  # unless an empty folder has taken its place
            (folder / name).rmdir()
    write_together(folder, files)
    for name in found & {CHECKPOINT, MODEL, STATE, TRACEBACK} - files.keys():
        (folder / name).unlink(missing_ok=True)
