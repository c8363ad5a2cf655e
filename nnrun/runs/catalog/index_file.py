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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from nnrun.runs.catalog.summary import PLAIN, RunSummary

_VERSION = 1
_PATIENCE_SECONDS = 10.0
_FLAG = PLAIN.index("larger_is_better")  # SQLite has numbers only
_COLUMNS = (*PLAIN, "metrics", "settings", "board", "stamp")
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

    `record` is the part of its report that sweeps need, as JSON; `board` what boards take of it;
    `stamp` that of its folder when all were read.
    """

    summary: RunSummary
    record: str
    board: str
    stamp: str


@lru_cache(maxsize=64)
def _shared(keys: tuple[str, ...]) -> tuple[str, ...]:
    """These keys, as one object for all mappings that have them: they take more than the values."""
    return keys


class JsonMapping(Mapping[str, Any]):
    """A mapping as JSON text, parsed when first used; empty if the text is no JSON."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def plain(self) -> dict[str, Any]:
        """All of it, which must not be changed."""
        with suppress(ValueError, TypeError):
            found = dict(json.loads(self.text))
            return dict(zip(_shared(tuple(found)), found.values(), strict=True))
        return {}

    def __getitem__(self, key: str) -> Any:
        return self.plain[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)


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

    def runs(self, name: str) -> Iterator[tuple[RunSummary, str, str]]:
        """Of an experiment's lines the summary, what boards take of the report, and the stamp.

        Equal settings are one object, and so are equal texts. Lines that another process writes
        meanwhile may be left out.
        """
        used = " UNION ".join(
            f"SELECT {c} FROM runs WHERE name = :n" for c in ("settings", "board")
        )
        texts = self._db.execute(f"SELECT id, text FROM settings WHERE id IN ({used})", {"n": name})
        settings = {number: JsonMapping(text) for number, text in texts}
        select = f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE name = ?"
        for *values, metrics, number, board, stamp in self._db.execute(select, (name,)):
            if number in settings and board in settings:
                values[_FLAG] = bool(values[_FLAG])
                values += [JsonMapping(metrics), settings[number]]
                yield RunSummary(*values), settings[board].text, stamp

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
            run, settings = line.summary, line.summary.settings
            text = settings.text if isinstance(settings, JsonMapping) else json.dumps(settings)
            ids = _id_of(text), _id_of(line.board)
            texts |= zip(ids, (text, line.board), strict=True)
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
