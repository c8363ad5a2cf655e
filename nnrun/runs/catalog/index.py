"""The index of the runs in a results folder, so that 20,000 are listed in a moment.

It is a cache, and may be deleted at any time. A line is used only while the run's folder and report
have the times and sizes that it was made from; other runs are read again. Only complete runs are in
it; others may be in progress, and are read each time.

SQLite keeps two writers apart, and undoes what a killed one has left unfinished. A damaged file is
made again; if the file cannot be used, all runs are read.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from nnrun.garbage import not_collected
from nnrun.runs.catalog.board_part import BoardPart
from nnrun.runs.catalog.index_file import IndexFile, Line
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.folders import folders, names_in

FILE = ".index.sqlite"
# With fewer runs, reading them all is fast enough.
WORTH = 200
_BATCH = 500
# How many new lines are written together: opening the file takes as long as making 20 lines.
_FEW = 256
# Errors of a file that is damaged, or cannot be used now.
_ERRORS = (sqlite3.Error, ValueError, KeyError, TypeError)
# Words in the errors of a file that is not damaged.
_TEMPORARY = ("locked", "busy", "readonly", "read-only", "full", "unable to open")

Stamps = Mapping[str, str]
Run = tuple[RunSummary, RunRecord | None]
Content = BoardPart | RunRecord | None
V = TypeVar("V")
Make = Callable[[RunSummary, Content], V]
SUMMARY, BOARD, RECORD = "summary", "board", "record"
"""What is wanted of runs."""


def look(root: Path, names: Iterable[str] = ()) -> list[RunSummary]:
    """The runs of these experiments, by default of all in a results folder."""
    return _found(root, names, lambda run, _: run, SUMMARY)


def look_through(root: Path, names: Iterable[str], make: Make[V], wanted: str = BOARD) -> list[V]:
    """What is made of each run, by default of all in a results folder.

    Args:
        root: the results folder.
        names: of experiments.
        make: called with each run's summary and what is wanted of its report; None without one that
            is as it was written.
        wanted: `BOARD` for what boards take, or the record; `RECORD` for the record, which may lack
            what is large, such as its config.
    """
    return _found(root, names, make, wanted)


def read_through(root: Path, stamps: Mapping[str, Stamps], make: Make[V]) -> list[V]:
    """What `look_through` returns, of the runs with these stamps, by name and id.

    The index is read where there is one, and not written.
    """
    with suppress(*_ERRORS):
        return _look(root, stamps, make, BOARD, writes=False)
    return [make(*found) for name in stamps for found in _read(root / name, stamps[name])]


def _found(root: Path, names: Iterable[str], make: Make[V], wanted: str) -> list[V]:
    stamps = {name: stamps_in(root / name) for name in [*names] or names_in(root)}
    if sum(map(len, stamps.values())) >= WORTH or (root / FILE).exists():
        for _ in range(2):
            try:
                return _look(root, stamps, make, wanted)
            except _ERRORS as error:
                if any(word in str(error) for word in _TEMPORARY):
                    break
                with suppress(OSError):
                    (root / FILE).unlink(missing_ok=True)
    return [make(*found) for name in stamps for found in _read(root / name, stamps[name])]


class RunIndex:
    """The index as a sweep uses it: finds complete runs one by one, and adds those it trains."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file: IndexFile | None = None
        self._worth = False  # whether there are, or will be, enough runs
        self._lines: list[Line] = []  # not yet written

    def find(self, name: str, run_id: str) -> RunRecord | None:
        """A record without its config and network; None if its folder is not as it was."""
        found = stamp(f"{self._root}/{name}/{run_id}")
        if not found:
            return None
        try:
            if self._file is None:
                if not (self._root / FILE).exists():
                    return None
                self._file = IndexFile(self._root / FILE)
            content = self._file.record(name, run_id, found)
            return None if content is None else RunRecord(**content)
        except (sqlite3.Error, ValueError, TypeError):
            return None

    def add(self, record: RunRecord) -> None:
        """Note a run whose folder was just written, so that it need not be read again."""
        from nnrun.runs.catalog.summarize import line_of_record  # noqa: PLC0415  # slow to import

        if not self._worth:
            return
        folder = self._root.joinpath(record.name, record.run_id)
        line = line_of_record(record, folder, stamp(str(folder)))
        if line is not None:
            self._lines.append(line)
        if len(self._lines) == _FEW:
            with suppress(*_ERRORS), IndexFile(self._root / FILE) as file:
                self._write(file)

    def refresh(self, names: Iterable[str], coming: int = 0) -> None:
        """Bring the lines of these experiments up to date, if there are enough runs, or will be.

        Whatever fails here is found by the next `look`; this many `coming` runs are added next.
        """
        stamps = {name: stamps_in(self._root / name) for name in names}
        there = sum(map(len, stamps.values()))
        self._worth = there + coming >= WORTH
        if self._worth and there:
            with suppress(*_ERRORS), IndexFile(self._root / FILE) as file:
                self._write(file)
                for name, found in stamps.items():
                    _update(file, self._root / name, found)

    def close(self) -> None:
        """Close the file from which runs were found."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, file: IndexFile) -> None:
        lines, self._lines = self._lines, []
        file.write(lines)


def stamps_in(folder: Path) -> dict[str, str]:
    """A stamp for each run folder of an experiment."""
    return {run_id: stamp(f"{folder}/{run_id}") for run_id in folders(folder)}


def stamp(folder: str) -> str:
    """A text that changes when a file is added or removed, or the report is written."""
    try:
        report = os.stat(f"{folder}/report.json")
        names = os.stat(folder)
    except OSError:
        return ""
    # Programs can set the time of modification, but not that of change.
    times = f"{report.st_mtime_ns} {report.st_ctime_ns} {names.st_mtime_ns}"
    return f"{times} {report.st_size} {report.st_ino}"


def _look(
    root: Path, stamps: Mapping[str, Stamps], make: Make[V], wanted: str, *, writes: bool = True
) -> list[V]:
    made: list[V] = []
    with not_collected(), IndexFile(root / FILE, writes=writes) as file:
        for name, found in stamps.items():
            refused = _update(file, root / name, found) if writes else ()
            others = {run.run_id: make(run, record) for run, record in refused}
            lines = {
                run.run_id: make(run, content)
                for run, content, when in _lines(file, name, wanted)
                if when == found.get(run.run_id)
            }
            # Where it writes, another process may have dropped some lines, to write them again.
            left = {k: v for k, v in found.items() if k not in lines and k not in others}
            others |= {run.run_id: make(run, record) for run, record in _read(root / name, left)}
            made += ({**others, **lines}).values()
    return made


def _lines(file: IndexFile, name: str, wanted: str) -> Iterator[tuple[RunSummary, Content, str]]:
    """Of an experiment's lines the summary, what is wanted of the report, and the stamp."""
    parts: dict[str, BoardPart] = {}
    for run, text, found in file.runs(name):
        if wanted == SUMMARY:
            yield run, None, found
        elif wanted == BOARD:
            if text not in parts:
                parts[text] = BoardPart.restored(text)
            yield run, parts[text], found
        elif (content := file.record(name, run.run_id, found)) is not None:
            yield run, RunRecord(**content), found


def _update(file: IndexFile, folder: Path, stamps: Stamps) -> list[Run]:
    """Bring the lines of an experiment up to date; returns the runs that have no line."""
    known = file.stamps(folder.name)
    if known == stamps:
        return []
    changed = {run_id: found for run_id, found in stamps.items() if known.get(run_id) != found}
    file.drop(folder.name, [run_id for run_id in known if known[run_id] != stamps.get(run_id)])
    return list(_read(folder, changed, file)) if changed else []


def _read(folder: Path, stamps: Stamps, file: IndexFile | None = None) -> Iterator[Run]:
    """Read the runs of an experiment; with a file, yields only those that get no line in it."""
    from nnrun.runs.catalog.summarize import line_of, read_with_summary  # noqa: PLC0415  # slow to import

    lines: list[Line] = []
    for run_id, found in stamps.items():
        line = None if file is None else line_of(folder / run_id, found)
        if line is not None:
            lines.append(line)
        elif (run := read_with_summary(folder / run_id, placed=True)) is not None:
            yield run
        if file is not None and len(lines) == _BATCH:
            file.write(lines)
            lines = []
    if file is not None:
        file.write(lines)
