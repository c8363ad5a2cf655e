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

_VERSION = 5
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


# What SQLite keeps beside a file while it works.
_COMPANIONS = ("", "-journal", "-wal", "-shm")


def _require_no_links(path: Path) -> None:
    """Find out that SQLite would write here, and not into what a link leads to."""
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
    """What the index has of one run.

    Args:
        overview: of the run.
        record: of its report, what a sweep needs, as JSON.
        stamp: of the folder that both were read from.
    """

    overview: RunSummary
    record: str
    stamp: str


class Settings(Mapping[str, Any]):
    """Settings as JSON, read when somebody asks, which is seldom; none where it is no JSON."""

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
    """The file of an index, open; made where there is none or an older one.

    Args:
        path: where it lies.

    Raises:
        sqlite3.Error: it is damaged, or cannot be used now.
    """

    def __init__(self, path: Path) -> None:
        _require_no_links(path)
        # Without waiting for the disk: after a power cut it may be damaged, and is made anew.
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
        """Of the runs of an experiment that there are lines of, by their ids."""
        return dict(self._db.execute("SELECT run_id, stamp FROM runs WHERE name = ?", (name,)))

    def overviews(self, name: str) -> Iterator[RunSummary]:
        """What the lines of an experiment say."""
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
        """What a sweep needs of a report; None where its folder is not as it was."""
        select = (
            "SELECT record FROM records JOIN runs USING (name, run_id) "
            "WHERE name = ? AND run_id = ? AND stamp = ?"
        )
        found = self._db.execute(select, (name, run_id, stamp)).fetchone()
        return json.loads(found[0]) if found else None

    def write(self, lines: Sequence[Line]) -> list[RunSummary]:
        """Write lines; of those that hold what SQLite cannot, the overviews are given back."""
        refused = []
        numbers: dict[tuple[str, str], int] = {}
        with self._writing():
            for line in lines:
                try:
                    self._write(line, numbers)
                except (sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError):
                    refused.append(line.overview)
        return refused

    def drop(self, name: str, run_ids: Sequence[str]) -> None:
        """Forget runs, and the settings that were theirs alone."""
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
        """Write a line; `numbers` are those of settings that this transaction has met."""
        run, settings = line.overview, line.overview.settings
        text = settings.text if isinstance(settings, Settings) else json.dumps(dict(settings))
        if (run.name, text) not in numbers:
            numbers[run.name, text] = self._number(run.name, text)
        values = [*(getattr(run, column) for column in PLAIN), numbers[run.name, text], line.stamp]
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO runs VALUES ({marks})", values)
        record = (run.name, run.run_id, line.record)
        self._db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", record)

    def _number(self, name: str, text: str) -> int:
        """What stands for these settings of an experiment."""
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
        """One transaction: all of it, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
