"""The folder of one run: links are refused, and only its holder writes to it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nnrun.errors import NnrunError, UsageError
from nnrun.runs.storage.contents.checkpoints import pack_checkpoint, parse_checkpoint
from nnrun.runs.storage.contents.names import CHECKPOINT, OPTIONAL
from nnrun.runs.storage.contents.progress import PROGRESS, write_unforced
from nnrun.runs.storage.durable.files import (
    acquire,
    has_leftovers,
    read_regular,
    remove_leftovers,
    write_together,
)
from nnrun.runs.storage.durable.staged import Staged, is_temporary
from nnrun.runs.storage.reading import StoredRun, read_run
from nnrun.systems import system
from nnrun.training.state import TrainingState


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
