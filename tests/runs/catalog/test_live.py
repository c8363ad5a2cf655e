"""All runs of a folder, kept up to date."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest

from nnrun.runs.catalog import live as module
from nnrun.runs.catalog.index import FILE, WORTH, look
from nnrun.runs.catalog.live import LiveRuns
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.record import Replicate
from nnrun.training.trainer import Progress


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
