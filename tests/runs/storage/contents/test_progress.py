"""What a run in progress says of itself: when, what, and what is not believed of it."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import select_run
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.record import Replicate
from nnrun.runs.storage import progress as module
from nnrun.runs.storage.progress import PROGRESS, ProgressNotes, read_progress
from nnrun.runs.storage.sealed import sealed_json
from nnrun.training.trainer import Progress

ROWS = [{"iteration": 50, "train_loss": 0.5, "test_accuracy": 0.9, "validation_loss": float("inf")}]
ABOUT = (Replicate(3, None, 2), {"name": "tiny"}, "ab" * 32)


def at(iteration, seconds=1.0):
    return Progress(iteration, 1000, 0.5, seconds, ROWS)


@pytest.fixture
def clock(monkeypatch):
    """The time that notes are made by."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(module, "monotonic", lambda: now.seconds)
    return now


def test_once_a_second_and_not_for_short_runs(clock):
    """The first second passes in silence; then the newest state is written once a second."""
    written = []
    notes = ProgressNotes(written.append, lambda: ABOUT)
    for tenth in range(35):
        clock.seconds = 100 + tenth / 10
        notes.add(at(100 + 10 * tenth))
    assert [200, 300, 400] == [json.loads(content)["iteration"] for content in written]
    last = json.loads(written[-1])
    assert (100.0, 6.0) == (last["rate"], last["left"])


def test_a_run_that_is_known_to_be_long_says_that_it_has_begun(clock):
    """At once: until it does, it is taken for one that waits."""
    written = []
    ProgressNotes(written.append, lambda: ABOUT).add(at(0, seconds=0.0))
    assert [0] == [json.loads(content)["iteration"] for content in written]


def test_a_run_that_waits_again(clock):
    """Where its worker was lost: what it says next counts from there."""
    written = []
    notes = ProgressNotes(written.append, lambda: ABOUT)
    for progress in (at(0, seconds=0.0), None, at(500, seconds=0.0)):
        notes.wait() if progress is None else notes.add(progress)
    found = [json.loads(content) for content in written]
    assert [(0, False), (0, True), (500, False)] == [(f["iteration"], f["waits"]) for f in found]


def test_what_is_said_is_read(store):
    """Losses without other metrics; what is not finite is not known; nothing is left at the end."""
    with begin(store, "tiny", "s3-0123456789") as lease:
        lease.note(Progress(100, 1000, 0.5, 0.0, ROWS), lambda: ABOUT)
        folder = store.root / "tiny" / "s3-0123456789"
        found = read_progress(folder)
        assert (100, 1000, 0.1) == (found.iteration, found.iterations, found.share)
        assert {"train": 0.5} == found.losses
        assert [{"iteration": 50, "train_loss": 0.5, "validation_loss": None}] == found.history
        assert ABOUT == (Replicate(found.seed, found.split_seed, found.fold), found.config,
                         found.sha256)  # fmt: skip
    assert not store.root.exists()


def killed(store, run_id, *notes):
    """The folder of a run whose process was killed after it said this."""
    folder = store.root / "tiny" / run_id
    with begin(store, "tiny", run_id) as lease:
        for note in notes:
            lease.note(note, lambda: ABOUT)
        content = (folder / PROGRESS).read_bytes()
    folder.mkdir(parents=True)
    (folder / PROGRESS).write_bytes(content)
    return folder


def test_a_run_that_was_killed_before_its_first_checkpoint(store):
    """It is listed and found as interrupted, and starts over; one that had not begun is not."""
    begun = killed(store, "s3-0123456789", None, at(0, seconds=0.0))
    killed(store, "s4-0123456789", None)
    (found,) = look(store.root)
    assert ("s3-0123456789", "interrupted") == (found.run_id, found.status)
    assert "it has no checkpoint yet, and starts over" == found.error
    assert begun == select_run("tiny/s3", store.root)
    with begin(store, "tiny", "s3-0123456789") as lease:
        assert "running" == look(store.root)[0].status
        assert lease.checkpoint() is None
    assert [] == look(store.root)


@pytest.mark.parametrize("change", [lambda text: text[:-9], lambda text: text.replace(b"0", b"1")])
def test_a_run_that_was_killed_is_listed_whatever_became_of_what_it_said(store, change):
    """Numbers that were changed are not shown; the run is interrupted all the same."""
    folder = killed(store, "s3-0123456789", at(0, seconds=0.0))
    (expected,) = look(store.root)
    (folder / PROGRESS).write_bytes(change((folder / PROGRESS).read_bytes()))
    assert read_progress(folder) is None
    assert expected.error == look(store.root)[0].error


def test_a_run_that_has_ended_says_no_more(prepared, store):
    """A message that comes late leaves no file beside the report."""
    run = prepared()
    with begin(store, run.config.name, run.run_id) as lease:
        folder = store.root / run.config.name / run.run_id
        lease.note(at(0, seconds=0.0), lambda: ABOUT)
        assert (folder / PROGRESS).exists()
    outcome = train(run, store)
    lease = begin(store, run.config.name, run.run_id, force=True)
    with lease:
        lease.note(at(0, seconds=0.0), lambda: ABOUT)
        lease.conclude(train(run, None).result)
        lease.note(at(10), lambda: ABOUT)
    assert PROGRESS not in os.listdir(outcome.folder)


def test_many_evaluations_are_thinned():
    """Messages stay small; the last evaluation is among them."""
    rows = [{"iteration": n, "train_loss": 1 / n} for n in range(1, 12_346)]
    found = Progress(12_345, 20_000, 0.1, 1.0, rows).brief().history
    assert (100, 12_345) == (len(found), found[-1]["iteration"])


VALID = {
    "iteration": 5, "iterations": 10, "seconds": 1.0, "rate": None, "left": None,
    "history": [{"iteration": 5, "train_loss": 0.5}], "seed": 3, "split_seed": None, "fold": None,
    "config": {"name": "tiny"}, "sha256": "ab", "numerics": 2,
}  # fmt: skip
INVALID = {
    "further than its end": {"iteration": 11},
    "no whole number": {"iteration": 5.5},
    "no number": {"rate": "fast"},
    "negative": {"left": -1.0},
    "an unknown key": {"more": 1},
    "an unknown column": {"history": [{"iteration": 5, "\x1b[31m": 1.0}]},
    "a curve that is too long": {"history": [{"iteration": n} for n in range(201)]},
    "a seed that is text": {"seed": "3"},
    "a config that is a list": {"config": [1]},
    "too large": {"sha256": "a" * (1 << 18)},
}


@pytest.mark.parametrize("what", ["valid", *INVALID])
def test_what_is_not_sane_is_not_believed(tmp_path, what):
    """The run is then shown as one that has said nothing."""
    content = {**VALID, **INVALID.get(what, {})}
    (tmp_path / PROGRESS).write_bytes(sealed_json(content))
    assert (what == "valid") == (read_progress(tmp_path) is not None)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"iteration": NaN}', "[" * 100_000])
def test_what_is_no_progress_is_not_believed(tmp_path, content):
    """Whatever stands in the file."""
    (tmp_path / PROGRESS).write_text(content)
    assert read_progress(tmp_path) is None


def test_links_and_files_of_other_users_are_not_read(tmp_path, monkeypatch):
    """Someone else may have put them there."""
    (tmp_path / "elsewhere").write_bytes(sealed_json(VALID))
    (tmp_path / PROGRESS).symlink_to("elsewhere")
    assert read_progress(tmp_path) is None
    (tmp_path / PROGRESS).unlink()
    (tmp_path / "elsewhere").rename(tmp_path / PROGRESS)
    assert read_progress(tmp_path) is not None
    mine = os.stat(tmp_path)
    other = os.stat_result([*mine[:4], mine.st_uid + 1, *mine[5:]])
    monkeypatch.setattr(module.system.Folder, "stat", lambda folder: other)
    assert read_progress(tmp_path) is None
