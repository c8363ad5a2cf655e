"""The tables of the index of runs.

Records and settings have tables of their own, since lists need no records, and seeds of a config
have the same settings: with all in one table, the file is 1.8 times as large, and `nnrun ls` over
20,000 runs takes 18% more CPU time; with records alone in the table of runs, 15% more.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from sys import intern
from typing import Any, Self

from nnrun.runs.catalog.summary import BOARD, PLAIN, JsonMapping, RunSummary, restored

_VERSION = 3
_PATIENCE_SECONDS = 10.0
_FLAG = PLAIN.index("larger_is_better")  # SQLite has numbers only
_STATUS, _METRIC = PLAIN.index("status"), PLAIN.index("metric")
# Quoted, as `commit` is a word of SQL.
_COLUMNS = [f'"{name}"' for name in (*PLAIN, "metrics", "settings", "board", "stamp")]
_TABLES = {
    "runs": f"{', '.join(_COLUMNS)}, PRIMARY KEY (name, run_id)",
    "records": "name, run_id, record, PRIMARY KEY (name, run_id)",
    "settings": "id INTEGER PRIMARY KEY, text",  # and parts that boards need
}

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


def _id_of(text: str) -> int:
    """A whole number of 64 bits, which no two of millions of texts have in common."""
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@dataclass(frozen=True)
class Line:
    """The line of one run.

    `record` is the part of its report that sweeps need, as JSON; `stamp` that of its folder when
    all were read.
    """

    summary: RunSummary
    record: str
    stamp: str


class IndexFile:
    """The database of an index; made if there is none, or one of another version.

    With `writes` false it is only read, and must be there.

    Raises: sqlite3.Error if it is damaged, or cannot be used now.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        _require_no_links(path)
        # Does not wait for the disk: a file damaged by a power cut is made again.
        place = str(path) if writes else f"{path.absolute().as_uri()}?mode=ro"
        self._db = sqlite3.connect(
            place, timeout=_PATIENCE_SECONDS, isolation_level=None, uri=not writes
        )
        try:
            if writes:
                self._prepare()
            elif self._is_outdated:
                raise sqlite3.OperationalError("it is read-only, and of another version")
        except sqlite3.Error:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA synchronous = OFF")
        if self._is_outdated:
            with self._writing():
                if self._is_outdated:  # no other process has made it anew
                    self._make()

    def stamps(self, name: str) -> dict[str, str]:
        """The stamps of an experiment's lines, by run id."""
        return dict(self._db.execute("SELECT run_id, stamp FROM runs WHERE name = ?", (name,)))

    def runs(self, name: str, *, boards: bool = False) -> Iterator[tuple[RunSummary, str]]:
        """The rows of an experiment's lines, with their stamps; `boards` as for `look`.

        Equal settings are one object, and so are equal values of what boards take. Lines that
        another process writes meanwhile may be left out.
        """
        settings = {number: JsonMapping(text) for number, text in self._texts("settings", name)}
        texts = self._texts("board", name) if boards else ()
        parts = {number: restored(text) for number, text in texts}
        select = f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE name = ?"
        for *values, metrics, number, board, stamp in self._db.execute(select, (name,)):
            if number in settings and (board in parts or not boards):
                values[_FLAG] = bool(values[_FLAG])
                values[0] = name
                values[_STATUS], values[_METRIC] = map(intern, (values[_STATUS], values[_METRIC]))
                values += [JsonMapping(metrics), settings[number], None, ""]
                yield RunSummary(*values, *parts.get(board, ())), stamp

    def _texts(self, column: str, name: str) -> Iterable[tuple[int, str]]:
        used = f"SELECT {column} FROM runs WHERE name = ?"
        return self._db.execute(f"SELECT id, text FROM settings WHERE id IN ({used})", (name,))

    def record(self, name: str, run_id: str, stamp: str) -> dict[str, Any] | None:
        """The part of a report that a sweep needs; None if the folder has changed."""
        select = (
            "SELECT record FROM records JOIN runs USING (name, run_id) "
            "WHERE name = ? AND run_id = ? AND stamp = ?"
        )
        found = self._db.execute(select, (name, run_id, stamp)).fetchone()
        return json.loads(found[0]) if found else None

    def write(self, lines: Sequence[Line]) -> None:
        """Write lines."""
        texts: dict[int, str] = {}
        runs = []
        for line in lines:
            run = line.summary
            board = json.dumps([getattr(run, column) for column in BOARD])
            ids = _id_of(run.settings.text), _id_of(board)
            texts |= zip(ids, (run.settings.text, board), strict=True)
            plain = [getattr(run, column) for column in PLAIN]
            runs.append((*plain, json.dumps(dict(run.metrics)), *ids, line.stamp))
        records = [(line.summary.name, line.summary.run_id, line.record) for line in lines]
        with self._writing():
            self._insert("IGNORE INTO settings", [*texts.items()])
            self._insert("REPLACE INTO runs", runs)
            self._insert("REPLACE INTO records", records)

    def _insert(self, into: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._db.executemany(f"INSERT OR {into} VALUES ({marks})", rows)

    def drop(self, name: str, run_ids: Sequence[str]) -> None:
        """Remove runs."""
        if run_ids:
            rows = [(name, run_id) for run_id in run_ids]
            with self._writing():
                for table in ("runs", "records"):
                    where = "name = ? AND run_id = ?"
                    self._db.executemany(f"DELETE FROM {table} WHERE {where}", rows)

    @property
    def _is_outdated(self) -> bool:
        version: tuple[int] = self._db.execute("PRAGMA user_version").fetchone()
        return version != (_VERSION,)

    def _make(self) -> None:
        for table, columns in _TABLES.items():
            self._db.execute(f"DROP TABLE IF EXISTS {table}")
            self._db.execute(f"CREATE TABLE {table} ({columns})")
        self._db.execute(f"PRAGMA user_version = {_VERSION}")

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
