"""All runs of a results folder, kept up to date by looking again and again; nothing is written."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from nnrun.runs.catalog.index import WORTH, read_through, stamp
from nnrun.runs.catalog.summarize import read_summary
from nnrun.runs.catalog.summary import IN_PROGRESS, RunSummary
from nnrun.runs.record import by_seed, is_run_id
from nnrun.runs.storage.sweep_progress import folders, names_in

# How many of the runs that had ended each look asks whether they have changed.
_OTHERS = 2000
_IN_STAMPS = " "

Key = tuple[str, str]


class LiveRuns:
    """The runs of a results folder, which need not exist yet, for lists and boards.

    The first look, and others that find many new runs, read the index where there is one. The
    others read runs that are new, in progress or changed; of runs that had ended, each look asks a
    part in turn, so that it stays cheap.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._place = str(root)
        self._runs: dict[Key, RunSummary] = {}
        self._folders: dict[str, list[str]] = {}
        self._listed: list[Key] = []
        self._marks: dict[Key, str] = {}
        self._open: set[Key] = set()
        self._began = False

    def look(self) -> set[Key]:
        """Look again; returns the runs that are new, changed or gone."""
        listed = self._list()
        new = [key for key in listed if key not in self._marks]
        if not self._began or len(new) >= WORTH:  # as of a folder that was moved here
            self._began = True
            self._read_many(new)
            changed = {*new}
        else:
            asked = {*self._turn(), *self._open, *new}
            changed = {key for key in listed if key in asked and self._read(key)}
        gone = self._marks.keys() - {*listed}
        for key in gone:
            self._forget(key)
        return changed | gone

    @property
    def runs(self) -> list[RunSummary]:
        """All of them, by name and seed."""
        return [self._runs[key] for key in self._listed if key in self._runs]

    def get(self, key: Key) -> RunSummary | None:
        """The run with this name and id."""
        return self._runs.get(key)

    def _list(self) -> list[Key]:
        """The folders that may be runs, by name and seed, which are only sorted if there are new
        ones.
        """
        found = {name: folders(self._root / name) for name in names_in(self._root)}
        if found != self._folders:
            self._folders = found
            self._listed = [
                (name, run_id)
                for name, ids in found.items()
                for run_id in sorted(filter(is_run_id, ids), key=by_seed)
            ]
        return self._listed

    def _turn(self) -> list[Key]:
        """Runs that are looked at now, and come last the next time."""
        turn = [*islice(self._marks, _OTHERS)]
        for key in turn:
            self._marks[key] = self._marks.pop(key)
        return turn

    def _read_many(self, new: list[Key]) -> None:
        """Read runs through the index, as far as they are in it."""
        stamps: dict[str, dict[str, str]] = {}
        for key in new:
            mark = self._marks[key] = self._mark(key)
            stamps.setdefault(key[0], {})[key[1]] = mark if _IN_STAMPS in mark else ""
        self._open |= {*new}  # until they are found to have ended
        for run in read_through(self._root, stamps):
            self._keep(run)

    def _read(self, key: Key) -> bool:
        """Read a run, unless it had ended and is as it was; returns whether it has changed."""
        mark = self._mark(key)
        if key not in self._open and self._marks.get(key) == mark:
            return False
        self._marks[key] = mark  # from before it is read: what changes then is read again
        before = self._runs.get(key)
        run = read_summary(self._root.joinpath(*key), placed=True)
        if run is None:
            self._runs.pop(key, None)
            self._open.add(key)  # it may be about to begin
        else:
            self._keep(run)
        return before != self._runs.get(key)

    def _keep(self, run: RunSummary) -> None:
        key = run.name, run.run_id
        self._runs[key] = run
        (self._open.add if run.status in IN_PROGRESS else self._open.discard)(key)

    def _forget(self, key: Key) -> None:
        self._runs.pop(key, None)
        self._open.discard(key)
        del self._marks[key]

    def _mark(self, key: Key) -> str:
        folder = f"{self._place}/{key[0]}/{key[1]}"
        found = stamp(folder)
        if found:
            return found
        try:  # without a report, the folder changes with what is written into it
            return str(os.stat(folder).st_mtime_ns)
        except OSError:
            return ""
