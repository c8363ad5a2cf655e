"""The catalog beside live runs, after it is closed, and runs of other numerics."""

from __future__ import annotations

import os
import shutil
import sqlite3
from io import StringIO

import pytest
from rich.console import Console

from nnrun import NUMERICS_VERSION
from nnrun.reports.terminal.runs import runs_table
from nnrun.runs.catalog import index
from nnrun.runs.catalog import live as module
from nnrun.runs.catalog.index import FILE, WORTH, RunIndex, look
from nnrun.runs.catalog.index_file import IndexFile
from nnrun.runs.catalog.live import LiveRuns
from nnrun.runs.events import Listener
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.record import Replicate
from nnrun.runs.storage.reading import list_runs
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Sweep
from nnrun.training.trainer import Progress
from tests.lab import invoke
from tests.sweeps.helpers import IRIS, Diary, make_store, run_inline

# All runs of a folder, kept up to date.


def shown(live):
    return [
        (run.run_id.partition("-")[0], run.status, run.seed if run.is_sound else None)
        for run in live.runs
    ]


def seeds(keys):
    return sorted(run_id.partition("-")[0] for _, run_id in keys)


def test_runs_come_change_and_go(prepared, store):
    """From its lease to its end a run is what it is at each look; nothing is reported twice."""
    train(prepared(None, "seed=1"), store)
    live = LiveRuns(store.root)
    assert ["s1"] == seeds(live.look())
    run = prepared(None, "seed=2")
    about = Replicate(2), run.config_dict, "ab" * 32
    with begin(store, "tiny", run.run_id) as lease:
        lease.note(None, lambda: about)
        assert ["s2"] == seeds(live.look())
        assert [("s1", "completed", 1), ("s2", "queued", None)] == shown(live)
        lease.note(Progress(0, 200, None, 0.0), lambda: about)
        assert ["s2"] == seeds(live.look())
        assert "running" == live.get(("tiny", run.run_id)).status
        lease.conclude(train(run, None).result)
    assert ["s2"] == seeds(live.look())
    assert [("s1", "completed", 1), ("s2", "completed", 2)] == shown(live)
    assert [] == seeds(live.look())
    shutil.rmtree(store.root / "tiny" / run.run_id)
    assert ["s2"] == seeds(live.look())
    assert [("s1", "completed", 1)] == shown(live)


def test_a_killed_run_is_found(prepared, store):
    """Its lock ends with its process, and changes no file."""
    run = prepared(None, "seed=2")
    live = LiveRuns(store.root)
    lease = begin(store, "tiny", run.run_id)
    lease.note(Progress(0, 200, None, 0.0), lambda: (Replicate(2), run.config_dict, "ab" * 32))
    live.look()
    assert [("s2", "running", None)] == shown(live)
    lease._folder._lock.close()
    assert ["s2"] == seeds(live.look())
    assert [("s2", "interrupted", None)] == shown(live)


def test_changes_among_many_are_found_in_turn(prepared, store, monkeypatch):
    """Each look asks a part of the runs that had ended."""
    monkeypatch.setattr(module, "_OTHERS", 2)
    for seed in range(5):
        train(prepared(None, f"seed={seed}"), store)
    live = LiveRuns(store.root)
    live.look()
    folder = next((store.root / "tiny").glob("s3-*"))
    (folder / "report.json").write_text("{}")
    assert ["s3"] == [seed for _ in range(3) for seed in seeds(live.look())]
    assert ("s3", "damaged", None) in shown(live)


def tree(root):
    """Every file and folder with its content and times."""
    found = [root, *root.rglob("*")]
    return {
        path: (os.stat(path).st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in found
    }


@pytest.mark.parametrize("state", ["whole", "some", "damaged", "old", "none"])
def test_the_index_is_read_and_not_written(prepared, store, state):
    """Whether it has all runs, some, or cannot be used; the runs are the same."""
    for seed in range(3):
        train(prepared(None, f"seed={seed}"), store)
    file = store.root / FILE
    sqlite3.connect(file).close()
    file.touch()
    assert 3 == len(look(store.root)) < WORTH
    if state == "some":
        train(prepared(None, "seed=3"), store)
        (folder,) = (store.root / "tiny").glob("s1-*")
        (folder / "report.json").touch()
    if state == "old":
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
    if state == "damaged":
        file.write_bytes(b"x" * 5000)
    if state == "none":
        file.unlink()
    before = tree(store.root)
    live = LiveRuns(store.root)
    live.look()
    expected = [(f"s{n}", "completed", n) for n in range(3 + (state == "some"))]
    assert expected == shown(live)
    assert before == tree(store.root)


def test_a_folder_that_comes_back_is_read_through_the_index(prepared, store, monkeypatch):
    """As one that was moved away and back: many runs that are new are not read one by one."""
    monkeypatch.setattr(module, "WORTH", 3)
    for seed in range(3):
        train(prepared(None, f"seed={seed}"), store)
    sqlite3.connect(store.root / FILE).close()
    (store.root / FILE).touch()
    look(store.root)
    live = LiveRuns(store.root)
    live.look()
    away = store.root.rename(store.root.with_name("away"))
    assert (3, []) == (len(live.look()), live.runs)
    away.rename(store.root)
    monkeypatch.setattr(module, "read_summary", lambda *_, **__: None)
    assert 3 == len(live.look())
    assert [(f"s{n}", "completed", n) for n in range(3)] == shown(live)


# The database of an index is closed when it is not needed; otherwise Python 3.13 warns.


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


# A run that was begun under other numerics cannot be continued, and is not said to be.

WHY = "has other numerics, and cannot continue what another has begun; train anew, and remove the"


def killed(run, store):
    """A run whose process has gone after its first second."""
    lease = begin(store, "tiny", run.run_id)
    lease.note(Progress(0, 200, None, 0.0), lambda: (Replicate(2), run.config_dict, "ab" * 32))
    lease._folder._lock.close()


def interrupted(run, store):
    """A run that was stopped by Ctrl-C."""
    train(run, store, Listener(stop=lambda: True))


def test_nothing_is_said_of_runs_that_have_not_begun_or_ended_early(prepared, store, monkeypatch):
    """Those that waited in a sweep are no runs yet; a search has no use for what it ended."""
    lease = begin(store, "tiny", prepared().run_id)
    lease.note(None, lambda: (Replicate(3), prepared().config_dict, "ab" * 32))
    lease._folder._lock.close()
    monkeypatch.setattr("nnrun.runs.storage.reading.NUMERICS_VERSION", NUMERICS_VERSION + 1)
    assert [] == [*list_runs(store.root)]
    interrupted(prepared(None, "seed=2"), store)
    (run,) = look(store.root)
    for early in (frozenset(), frozenset({(run.name, run.run_id)})):
        console = Console(file=StringIO(), width=200)
        console.print(runs_table([run], 1, {}, searched=({}, early)))
        assert (WHY in console.file.getvalue()) == (not early)


@pytest.mark.parametrize("numerics", [NUMERICS_VERSION, NUMERICS_VERSION + 1])
@pytest.mark.parametrize("ended", [killed, interrupted])
def test_lists_and_show_say_so(prepared, store, monkeypatch, ended, numerics):
    """Whether its process was killed or ended by itself; nothing is said of a run that goes on."""
    ended(prepared(None, "seed=2"), store)
    monkeypatch.setattr("nnrun.runs.storage.reading.NUMERICS_VERSION", numerics, raising=False)
    for command in (["ls"], ["show", "tiny"]):
        done = invoke(*command, "--results", str(store.root))
        shown = " ".join(done.out.split())
        assert "interrupted" in shown
        assert (numerics != NUMERICS_VERSION) == (WHY in shown)
