"""How far sweeps in progress have come, each in a folder of its own within the results folder.

The folder is locked as long as its sweep goes on; one that a killed sweep has left, or one that
ended before all of its runs, is removed by the next sweep.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from nnrun.config.names import is_name
from nnrun.errors import DamageError
from nnrun.runs.record import by_seed, is_run_id
from nnrun.runs.storage.durable import acquire
from nnrun.runs.storage.progress import PROGRESS, read_own, write_unforced
from nnrun.runs.storage.sealed import parse_sealed, sealed_json
from nnrun.systems import system

# Listing experiment and run folders without reading any file in them.


def names_in(root: Path) -> list[str]:
    """The names of folders that may be experiments."""
    return [*filter(is_name, folders(root))]


def misnamed_in(root: Path) -> list[str]:
    """The names of folders with runs that no experiment can have, so that nothing looks at them."""
    others = (name for name in folders(root) if not is_name(name))
    return [name for name in others if any(map(is_run_id, folders(root / name)))]


def ids_in(root: Path, name: str) -> list[str]:
    """The ids of folders that may be runs of an experiment, ordered by seed."""
    found = filter(is_run_id, folders(root / name)) if is_name(name) else ()
    return sorted(found, key=by_seed)


def folders(root: Path) -> list[str]:
    """The sorted names of the folders in a folder; none if it cannot be read."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if _is_folder(entry))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or no permission
        return False


def is_held(folder: Path) -> bool:
    """Whether a process holds the folder now."""
    try:
        with closing(system.Folder(folder)) as opened:
            return opened.is_locked()
    except OSError:
        return False


FOLDER = ".sweeps"
_SECONDS = 1.0
_MOST_BYTES = 1 << 16
_MOST_NAMES = 200


@dataclass(frozen=True)
class SweepCounts:
    """The runs of a sweep, counted.

    Args:
        names: of its experiments, at most 200.
        total: all of its runs.
        done: those that have ended or are being saved, before this sweep or by it.
        failed: those of them that failed or diverged.
        running: those that are being trained.
        open: whether it goes on as long as it has time: `total` has those that have begun.
    """

    names: Sequence[str]
    total: int
    done: int
    failed: int
    running: int
    open: bool = False

    @property
    def queued(self) -> int:
        """Number of runs that have not begun."""
        return max(0, self.total - self.done - self.running)


class SweepNotes:
    """Writes the counts of a sweep, from its first second on; where that fails, nothing happens.

    `root` is the results folder; None to write nothing.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._folder: system.Folder | None = None
        self._next = monotonic() + _SECONDS

    def add(self, counts: Callable[[], SweepCounts]) -> None:
        """Write them, unless the file is less than a second old, or the sweep."""
        now = monotonic()
        if self._root is None or now < self._next:
            return
        self._next = now + _SECONDS
        with suppress(OSError):
            self._write(self._root, counts())

    def close(self, unfinished: SweepCounts | None = None) -> None:
        """Remove what was written, and what earlier sweeps have left.

        The counts of a sweep that was not finished stay, until the next one ends.
        """
        if self._root is not None:
            if unfinished is not None:
                with suppress(OSError):
                    self._write(self._root, unfinished)
            elif self._folder is not None:
                _remove(self._folder)
                self._folder = None
            self._remove_others(self._root)
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _write(self, root: Path, counts: SweepCounts) -> None:
        if self._folder is None:
            self._folder = _own_folder(root)
        content = {**asdict(counts), "names": [*counts.names][:_MOST_NAMES]}
        if self._folder is not None:
            write_unforced(self._folder, PROGRESS, sealed_json(content))

    def _remove_others(self, root: Path) -> None:
        """Remove the folders that no sweep holds."""
        if system.is_link(root / FOLDER):
            return
        place = root / FOLDER
        for name in folders(place):
            left = None if is_held(place / name) else acquire(place / name, wait=False)
            if left is not None:
                _remove(left)
        with suppress(OSError):  # there is none, or other sweeps are in progress
            place.rmdir()


def _own_folder(root: Path) -> system.Folder | None:
    """A new folder, locked."""
    place = root / FOLDER
    return None if system.is_link(place) else acquire(place / os.urandom(8).hex(), wait=False)


def _remove(folder: system.Folder) -> None:
    with suppress(OSError):
        for name in folder.names():
            folder.unlink(name)
        folder.remove_if_empty()
    folder.close()


def sweeps_in(root: Path) -> list[SweepCounts]:
    """What the sweeps in progress in a results folder say of themselves."""
    return _said(root, held=True)


def unfinished_in(root: Path) -> list[SweepCounts]:
    """What sweeps have left that ended before all of their runs, and were the last to end."""
    return _said(root, held=False)


def damaged_in(root: Path) -> list[Path]:
    """The files of such sweeps that cannot be used; the next sweep removes them."""
    return [
        folder / PROGRESS
        for folder in _folders(root, held=False)
        if (folder / PROGRESS).exists() and _read(folder) is None
    ]


def _said(root: Path, *, held: bool) -> list[SweepCounts]:
    """What sweeps say that hold their folders, or do not."""
    return [*filter(None, map(_read, _folders(root, held=held)))]


def _folders(root: Path, *, held: bool) -> list[Path]:
    place = root / FOLDER
    names = [] if system.is_link(place) else folders(place)[:_MOST_NAMES]
    return [place / name for name in names if held == is_held(place / name)]


def _read(folder: Path) -> SweepCounts | None:
    """The counts of a sweep; None where they are missing, or not as they were written."""
    with suppress(OSError, DamageError, TypeError):
        found = SweepCounts(**parse_sealed(read_own(folder, PROGRESS, _MOST_BYTES)))
        counts = (found.total, found.done, found.failed, found.running)
        names = isinstance(found.names, list) and all(
            isinstance(name, str) and is_name(name) for name in found.names
        )
        whole = all(type(count) is int and count >= 0 for count in counts)
        whole = whole and type(found.open) is bool
        if names and whole and found.failed <= found.done <= found.total:
            return found
    return None
