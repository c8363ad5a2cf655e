"""The results folder. Nothing else in nnrun writes there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from nnrun.config.names import is_written
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.contents.files import files_of
from nnrun.runs.storage.data_place import stored_config, without_folders
from nnrun.runs.storage.durable.files import (
    lacking_folders,
    locked,
    remove_empty,
    remove_leftovers,
    write_together,
)
from nnrun.runs.storage.durable.group_commit import GroupCommit
from nnrun.runs.storage.durable.staged import commit
from nnrun.runs.storage.run_folder import RunFolder

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
