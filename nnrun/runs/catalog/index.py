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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from nnrun.runs.catalog.index_file import IndexFile, Line
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.sweep_progress import folders, names_in
from nnrun.systems.process import not_collected

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


def look(
    root: Path, names: Iterable[str] = (), *, boards: bool = False, order_by: str | None = None
) -> list[RunSummary]:
    """The runs of these experiments, by default of all in a results folder.

    Args:
        root: the results folder.
        names: of experiments.
        boards: whether rows have what boards take.
        order_by: their main metric, where they have it; for boards alone.
    """
    stamps = {name: stamps_in(root / name) for name in [*names] or names_in(root)}
    if sum(map(len, stamps.values())) >= WORTH or (root / FILE).exists():
        for _ in range(2):
            try:
                return _look(root, stamps, order_by, boards=boards)
            except _ERRORS as error:
                if any(word in str(error) for word in _TEMPORARY):
                    break
                with suppress(OSError):
                    (root / FILE).unlink(missing_ok=True)
    return [run for name in stamps for run in _read(root / name, stamps[name], order_by)]


def read_through(root: Path, stamps: Mapping[str, Stamps]) -> list[RunSummary]:
    """The runs with these stamps, by name and id, for boards.

    The index is read where there is one, and not written.
    """
    with suppress(*_ERRORS):
        return _look(root, stamps, boards=True, writes=False)
    return [run for name in stamps for run in _read(root / name, stamps[name])]


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
    root: Path,
    stamps: Mapping[str, Stamps],
    order_by: str | None = None,
    *,
    boards: bool,
    writes: bool = True,
) -> list[RunSummary]:
    runs: list[RunSummary] = []
    with not_collected(), IndexFile(root / FILE, writes=writes) as file:
        for name, found in stamps.items():
            refused = _update(file, root / name, found, order_by) if writes else ()
            others = {run.run_id: run for run in refused}
            lines = {
                run.run_id: run
                for run, when in _lines(file, name, order_by, boards=boards)
                if when == found.get(run.run_id)
            }
            # Where it writes, another process may have dropped some lines, to write them again.
            left = {k: v for k, v in found.items() if k not in lines and k not in others}
            others |= {run.run_id: run for run in _read(root / name, left, order_by)}
            runs += ({**others, **lines}).values()
    return runs


def _lines(
    file: IndexFile, name: str, order_by: str | None, *, boards: bool
) -> Iterator[tuple[RunSummary, str]]:
    """The rows of an experiment's lines, with their stamps."""
    if order_by is None:
        yield from file.runs(name, boards=boards)
        return
    from nnrun.runs.catalog.summarize import by_metric  # noqa: PLC0415  # slow to import

    for run, found in file.runs(name, boards=True):
        if (content := file.record(name, run.run_id, found)) is not None:
            yield by_metric(run, RunRecord(**content), order_by), found


def _update(
    file: IndexFile, folder: Path, stamps: Stamps, order_by: str | None = None
) -> list[RunSummary]:
    """Bring the lines of an experiment up to date; returns the runs that have no line."""
    known = file.stamps(folder.name)
    if known == stamps:
        return []
    changed = {run_id: found for run_id, found in stamps.items() if known.get(run_id) != found}
    file.drop(folder.name, [run_id for run_id in known if known[run_id] != stamps.get(run_id)])
    return list(_read(folder, changed, order_by, file)) if changed else []


def _read(
    folder: Path, stamps: Stamps, order_by: str | None = None, file: IndexFile | None = None
) -> Iterator[RunSummary]:
    """Read the runs of an experiment; with a file, yields only those that get no line in it."""
    from nnrun.runs.catalog.summarize import line_of, read_summary  # noqa: PLC0415  # slow to import

    lines: list[Line] = []
    for run_id, found in stamps.items():
        line = None if file is None else line_of(folder / run_id, found)
        if line is not None:
            lines.append(line)
        elif (run := read_summary(folder / run_id, order_by, placed=True)) is not None:
            yield run
        if file is not None and len(lines) == _BATCH:
            file.write(lines)
            lines = []
    if file is not None:
        file.write(lines)
