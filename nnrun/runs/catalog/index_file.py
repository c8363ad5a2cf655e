"""The tables of the index of runs."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nnrun.config.settings import differing
from nnrun.runs.catalog.summary import PLAIN, RunSummary

_VERSION = 6
_PATIENCE_SECONDS = 10.0
_FLAG = PLAIN.index("larger_is_better")  # SQLite has numbers only
_TABLES = f"""
DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS records;
DROP TABLE IF EXISTS settings; DROP TABLE IF EXISTS varied;
CREATE TABLE runs ({", ".join(PLAIN)}, settings INTEGER, stamp TEXT, PRIMARY KEY (name, run_id));
CREATE TABLE records (name, run_id, record TEXT, PRIMARY KEY (name, run_id));
CREATE TABLE settings (id INTEGER PRIMARY KEY, name, text TEXT, UNIQUE (name, text));
CREATE TABLE varied (name, key, PRIMARY KEY (name, key));
PRAGMA user_version = {_VERSION};
"""


# Files that SQLite writes next to the database.
_COMPANIONS = ("", "-journal", "-wal", "-shm")


def _require_no_links(path: Path) -> None:
    """Refuse links, through which SQLite would write elsewhere."""
    for companion in _COMPANIONS:
        try:
            mode = os.lstat(f"{path}{companion}").st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise sqlite3.OperationalError(f"unable to open {path}: {error}") from error
        if not stat.S_ISREG(mode):
            raise sqlite3.OperationalError(f"unable to open {path}{companion}: no regular file")


@dataclass(frozen=True)
class Line:
    """The line of one run.

    Args:
        summary: of the run.
        record: the part of its report that a sweep needs, as JSON.
        stamp: of the folder when both were read.
    """

    summary: RunSummary
    record: str
    stamp: str


class Settings(Mapping[str, Any]):
    """Settings as JSON text, parsed when first used; empty if the text is no JSON."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values: dict[str, Any] | None = None

    @property
    def _read(self) -> dict[str, Any]:
        if self._values is None:
            try:
                self._values = dict(json.loads(self.text))
            except (ValueError, TypeError):
                self._values = {}
        return self._values

    def __getitem__(self, key: str) -> Any:
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


class IndexFile:
    """The database of an index; made if there is none, or one of an older version.

    Args:
        path: of the file.

    Raises:
        sqlite3.Error: it is damaged, or cannot be used now.
    """

    def __init__(self, path: Path) -> None:
        _require_no_links(path)
        # Does not wait for the disk: a file damaged by a power cut is made again.
        self._db = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")
        if self._db.execute("PRAGMA user_version").fetchone() != (_VERSION,):
            with self._writing():
                if self._db.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                    for statement in filter(str.strip, _TABLES.split(";")):
                        self._db.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def stamps(self, name: str) -> dict[str, str]:
        """The stamps of an experiment's lines, by run id."""
        return dict(self._db.execute("SELECT run_id, stamp FROM runs WHERE name = ?", (name,)))

    def summaries(self, name: str) -> Iterator[RunSummary]:
        """The summaries of an experiment's lines."""
        select = "SELECT id, text FROM settings WHERE name = ?"
        settings = {number: Settings(text) for number, text in self._db.execute(select, (name,))}
        select = f"SELECT {', '.join(PLAIN)}, settings FROM runs WHERE name = ?"
        for row in self._db.execute(select, (name,)):
            values = [*row[:-1], settings[row[-1]]]
            values[_FLAG] = bool(values[_FLAG])
            yield RunSummary(*values)

    def varied(self, name: str) -> list[str]:
        """The settings in which the runs of an experiment differ."""
        select = "SELECT key FROM varied WHERE name = ? ORDER BY rowid"
        return [key for (key,) in self._db.execute(select, (name,))]

    def record(self, name: str, run_id: str, stamp: str) -> dict[str, Any] | None:
        """The part of a report that a sweep needs; None if the folder has changed."""
        select = (
            "SELECT record FROM records JOIN runs USING (name, run_id) "
            "WHERE name = ? AND run_id = ? AND stamp = ?"
        )
        found = self._db.execute(select, (name, run_id, stamp)).fetchone()
        return json.loads(found[0]) if found else None

    def write(self, lines: Sequence[Line]) -> list[RunSummary]:
        """Write lines; returns the summaries of lines that SQLite cannot hold."""
        refused = []
        numbers: dict[tuple[str, str], int] = {}
        with self._writing():
            for line in lines:
                try:
                    self._write(line, numbers)
                except (sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError):
                    refused.append(line.summary)
        return refused

    def drop(self, name: str, run_ids: Sequence[str]) -> None:
        """Remove runs, and settings that no other run has."""
        if not run_ids:
            return
        with self._writing():
            rows = [(name, run_id) for run_id in run_ids]
            for table in ("runs", "records"):
                self._db.executemany(f"DELETE FROM {table} WHERE name = ? AND run_id = ?", rows)
            unused = "name = ? AND id NOT IN (SELECT settings FROM runs WHERE name = ?)"
            if self._db.execute(f"DELETE FROM settings WHERE {unused}", (name, name)).rowcount:
                self._db.execute("DELETE FROM varied WHERE name = ?", (name,))
                self._note_varied(name, [Settings(text) for text in self._texts(name)])

    def _write(self, line: Line, numbers: dict[tuple[str, str], int]) -> None:
        """Write a line; `numbers` caches the ids of settings during a transaction."""
        run, settings = line.summary, line.summary.settings
        text = settings.text if isinstance(settings, Settings) else json.dumps(dict(settings))
        if (run.name, text) not in numbers:
            numbers[run.name, text] = self._number(run.name, text)
        values = [*(getattr(run, column) for column in PLAIN), numbers[run.name, text], line.stamp]
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO runs VALUES ({marks})", values)
        record = (run.name, run.run_id, line.record)
        self._db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", record)

    def _number(self, name: str, text: str) -> int:
        """The id of these settings of an experiment."""
        insert = "INSERT OR IGNORE INTO settings (name, text) VALUES (?, ?)"
        if self._db.execute(insert, (name, text)).rowcount:
            # Where two settings differ in a key, one of them differs from the first.
            first = next(self._texts(name))
            self._note_varied(name, [Settings(first), Settings(text)])
        select = "SELECT id FROM settings WHERE name = ? AND text = ?"
        (number,) = self._db.execute(select, (name, text)).fetchone()
        return int(number)

    def _texts(self, name: str) -> Iterator[str]:
        select = "SELECT text FROM settings WHERE name = ? ORDER BY id"
        return (text for (text,) in self._db.execute(select, (name,)))

    def _note_varied(self, name: str, settings: Sequence[Mapping[str, Any]]) -> None:
        rows = [(name, key) for key in differing(settings)]
        self._db.executemany("INSERT OR IGNORE INTO varied VALUES (?, ?)", rows)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
