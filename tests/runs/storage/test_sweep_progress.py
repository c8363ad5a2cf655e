"""What sweeps in progress say of themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnrun.runs.storage import sweep_progress
from nnrun.runs.storage.durable import locked
from nnrun.runs.storage.sealed import sealed_json
from nnrun.runs.storage.sweep_progress import (
    FOLDER,
    SweepCounts,
    SweepNotes,
    damaged_in,
    sweeps_in,
    unfinished_in,
)

COUNTS = SweepCounts(["iris"], total=9, done=4, failed=1, running=2)
FILE = ".progress.json.partial"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(sweep_progress, "_SECONDS", 0.0)


def test_counts_are_there_as_long_as_the_sweep(tmp_path):
    """They can be read while it goes on, by name; nothing is left of it in the end."""
    notes = SweepNotes(tmp_path)
    notes.add(lambda: COUNTS)
    assert [COUNTS] == sweeps_in(tmp_path)
    assert 3 == COUNTS.queued
    notes.close()
    assert ([], []) == (sweeps_in(tmp_path), [*tmp_path.iterdir()])


def test_a_sweep_that_was_not_finished_says_so_until_the_next(tmp_path):
    """It is none in progress, and the next sweep removes it, or takes its place."""
    later = replace(COUNTS, done=5, running=0)
    for left in (COUNTS, later):
        notes = SweepNotes(tmp_path)
        notes.close(left)
        assert ([], [left]) == (sweeps_in(tmp_path), unfinished_in(tmp_path))
    notes = SweepNotes(tmp_path)
    notes.add(lambda: COUNTS)
    assert ([COUNTS], [later]) == (sweeps_in(tmp_path), unfinished_in(tmp_path))
    notes.close()
    assert [] == [*tmp_path.iterdir()]


def test_a_short_sweep_writes_nothing(tmp_path, monkeypatch):
    """Nor does one without a results folder."""
    monkeypatch.setattr(sweep_progress, "_SECONDS", 1.0)
    for root in (tmp_path, None):
        notes = SweepNotes(root)
        notes.add(lambda: COUNTS)
        notes.close()
    assert [] == [*tmp_path.iterdir()]


def test_what_a_killed_sweep_has_left_is_not_believed(tmp_path):
    """The next sweep removes it, however short, and leaves those in progress alone."""
    left = tmp_path / FOLDER / "killed"
    left.mkdir(parents=True)
    (left / FILE).write_bytes(sealed_json({**COUNTS.__dict__}))
    assert [] == sweeps_in(tmp_path)
    first, second = SweepNotes(tmp_path), SweepNotes(tmp_path)
    first.add(lambda: COUNTS)
    second.add(lambda: COUNTS)
    assert [COUNTS, COUNTS] == sweeps_in(tmp_path)
    SweepNotes(tmp_path).close()
    assert ([COUNTS, COUNTS], False) == (sweeps_in(tmp_path), left.exists())
    first.close()
    assert [COUNTS] == sweeps_in(tmp_path)
    second.close()
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["<b>"]}, {"names": "iris"}, {"names": [3]}, {"total": -1}, {"total": 1.5},
        {"done": True}, {"done": 10}, {"failed": 5}, {"more": 1}, {"running": None},
    ],
)  # fmt: skip
def test_only_counts_are_believed(tmp_path, change):
    """A file that says anything else is passed over."""
    place = tmp_path / FOLDER / "aa"
    place.mkdir(parents=True)
    with locked(place):
        (place / FILE).write_bytes(sealed_json({**COUNTS.__dict__}))
        assert [COUNTS] == sweeps_in(tmp_path)
        (place / FILE).write_bytes(sealed_json({**COUNTS.__dict__, **change}))
        assert [] == sweeps_in(tmp_path)


def test_links_are_not_followed(tmp_path):
    """Neither to read nor to write."""
    outside, root = tmp_path / "outside", tmp_path / "results"
    (outside / "aa").mkdir(parents=True)
    root.mkdir()
    (root / FOLDER).symlink_to(outside)
    with locked(outside / "aa"):
        (outside / "aa" / FILE).write_bytes(sealed_json({**COUNTS.__dict__}))
        notes = SweepNotes(root)
        notes.add(lambda: COUNTS)
        notes.close()
        assert [] == sweeps_in(root)
    assert ["aa"] == [place.name for place in outside.iterdir()]


@pytest.mark.parametrize("change", [lambda text: text[:-9], lambda text: text.replace(b"4", b"5")])
def test_what_is_left_of_a_sweep_is_as_it_was_written(tmp_path, change):
    """Counts that were changed are passed over, and their file is named, until the next sweep."""
    SweepNotes(tmp_path).close(COUNTS)
    (file,) = tmp_path.glob(f"{FOLDER}/*/{FILE}")
    assert ([COUNTS], []) == (unfinished_in(tmp_path), damaged_in(tmp_path))
    file.write_bytes(change(file.read_bytes()))
    assert ([], [file]) == (unfinished_in(tmp_path), damaged_in(tmp_path))
    SweepNotes(tmp_path).close()
    assert [] == [*tmp_path.iterdir()]
