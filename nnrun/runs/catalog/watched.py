"""The runs in progress in a results folder, looked at again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nnrun.runs.catalog.index import Run
from nnrun.runs.catalog.summarize import read_with_summary
from nnrun.runs.catalog.summary import IN_PROGRESS, RunSummary
from nnrun.runs.storage.folders import ids_in, is_held, names_in

# How many of the runs that were not in progress each look asks whether they are now.
_OTHERS = 2000

Key = tuple[str, str]


@dataclass(frozen=True)
class Look:
    """The runs in progress, queued ones included, in the order of names and seeds; those that have
    ended since the last look, with their records; those that were in progress then, and have left
    nothing.
    """

    running: list[RunSummary]
    ended: list[Run]
    gone: list[RunSummary]


class WatchedRuns:
    """Finds the runs that any process has in progress, and those that end; by default of all
    experiments.

    The first look asks of every run whether it is in progress; the others ask this of the runs that
    were, of new ones, and of a part of the others in turn, so that a look stays cheap.
    """

    def __init__(self, root: Path, names: Iterable[str] = ()) -> None:
        self._root = root
        self._names = tuple(names)
        self._others: dict[Key, None] = {}
        self._running: dict[Key, RunSummary] = {}
        self._looked = False

    def look(self) -> Look:
        """The runs in progress now."""
        before, self._running = self._running, {}
        ended: dict[Key, Run] = {}
        for key, is_new in self._candidates(before):
            began = is_new or key in before
            run = self._read(key) if began or self._is_held(key) else None
            if run is not None and run[0].status in IN_PROGRESS:
                self._running[key] = run[0]
                continue
            if is_new and run is None:
                continue  # its folder is made, and nothing is in it yet
            self._others[key] = None
            if run is not None and (key in before or (is_new and run[1] is not None)):
                ended[key] = run
        self._looked = True
        known = self._running.keys() | ended.keys()
        gone = [run for key, run in before.items() if key not in known]
        return Look([*self._running.values()], [*ended.values()], gone)

    def _candidates(self, before: Mapping[Key, RunSummary]) -> list[tuple[Key, bool]]:
        """Runs that may be in progress or have ended, and whether no look has met them before."""
        turn = {*islice(self._others, _OTHERS)}
        found = [
            (key, self._looked and key not in before and key not in self._others)
            for name in self._names or names_in(self._root)
            for key in ((name, run_id) for run_id in ids_in(self._root, name))
            if key in before or key in turn or key not in self._others
        ]
        for key in turn:
            del self._others[key]  # what is looked at now comes last the next time
        return found

    def _is_held(self, key: Key) -> bool:
        return is_held(self._root.joinpath(*key))

    def _read(self, key: Key) -> Run | None:
        return read_with_summary(self._root.joinpath(*key), placed=True)
