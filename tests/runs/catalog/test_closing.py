"""The database of an index is closed when it is not needed; otherwise Python 3.13 warns."""

from __future__ import annotations

import sqlite3

import pytest

from nnrun.runs.catalog import index
from nnrun.runs.catalog.index import FILE, RunIndex
from nnrun.runs.catalog.index_file import IndexFile
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Sweep
from tests.sweeps.helpers import IRIS, Diary, make_store, run_inline


@pytest.fixture
def opened(monkeypatch):
    """The databases that are opened while a test runs."""
    found, connect = [], sqlite3.connect

    def connecting(*arguments, **keywords):
        found.append(connect(*arguments, **keywords))
        return found[-1]

    monkeypatch.setattr(sqlite3, "connect", connecting)
    return found


def closed(database):
    """Whether a database takes no statement any more."""
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        database.execute("SELECT 1")
    return True


def test_a_damaged_file_is_closed(opened, tmp_path):
    """`IndexFile` closes the database itself where it raises."""
    (tmp_path / FILE).write_bytes(b"no database, however long one looks at it" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        IndexFile(tmp_path / FILE)
    assert [True] == [*map(closed, opened)]


def test_a_sweep_closes_it(opened, tmp_path, monkeypatch):
    """Also one that finds all its runs there, and trains none."""
    monkeypatch.setattr(index, "WORTH", 1)
    config = tmp_path / "iris.yaml"
    config.write_text(IRIS)
    plan = make_plan({"iris": config}, Arguments.parse([], 2, None), Datasets())
    for trained in (2, 0):
        store = make_store(tmp_path / "results")
        assert isinstance(store.index, RunIndex)
        assert trained == run_inline(Sweep(plan, store, Datasets(), Diary())).trained
    assert len(opened) >= 3
    assert all(map(closed, opened))
