"""Durable files, locks, and commits in groups."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from nnrun.runs.storage import group_commit, sweep_progress
from nnrun.runs.storage.durable import acquire, locked, read_regular
from nnrun.runs.storage.group_commit import MOST, GroupCommit
from nnrun.runs.storage.progress import read_own
from nnrun.runs.storage.sealed import sealed_json
from nnrun.runs.storage.staged import Staged, commit
from nnrun.runs.storage.store import RunFolder
from nnrun.runs.storage.sweep_progress import (
    FOLDER,
    SweepCounts,
    SweepNotes,
    damaged_in,
    sweeps_in,
    unfinished_in,
)
from nnrun.systems import system
from tests.hostile.disk import Disk

# Files that are read whole.


@pytest.mark.parametrize("kind", ["folder", "pipe", "large"])
def test_what_is_not_read_stays_open_nowhere(tmp_path, kind):
    """A folder, a pipe or a very large file is refused, and its descriptor is closed."""
    path = tmp_path / "report.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(bytes(100))
    before = os.listdir("/dev/fd")
    with pytest.raises(OSError, match=r"report\.json"):
        read_regular(path, most=50)
    with pytest.raises(OSError, match=r"report\.json"):
        read_own(tmp_path, path.name, most=50)
    assert len(before) == len(os.listdir("/dev/fd"))


# Folders that one process holds at a time.


def test_one_holder_at_a_time(tmp_path):
    """Who does not want to wait learns that a folder is held, and gets it once it is free."""
    folder = tmp_path / "run"
    first = acquire(folder, wait=False)
    assert acquire(folder, wait=False) is None
    first.close()
    second = acquire(folder, wait=False)
    assert folder == second.path
    second.close()


def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path):
    """A lock on a folder that others no longer find would be worth nothing."""
    folder = tmp_path / "run"
    old = acquire(folder, wait=False)
    found = []
    waiting = Thread(target=lambda: found.append(acquire(folder, wait=True)))
    waiting.start()
    sleep(0.1)
    assert [] == found
    folder.rmdir()
    old.close()
    waiting.join(10)
    assert os.path.samestat(folder.stat(), found[0].stat())
    found[0].close()


def test_folders_that_come_and_go_are_no_error(tmp_path):
    """While others hold, release and remove the same folder, a waiting process gets it."""
    errors = []

    def come_and_go():
        try:
            for _ in range(200):
                folder = RunFolder(tmp_path, "name", "run")
                folder.lock(wait=True)
                folder.release()
        except OSError as error:
            errors.append(error)

    threads = [Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [] == errors


def test_a_place_where_nothing_can_be_made_is_an_error(monkeypatch, tmp_path):
    """A file system that refuses every folder, as /proc does, is no reason to try for ever."""

    def refuse(self, **options):
        raise FileNotFoundError(2, "No such file or directory", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(FileNotFoundError):
        acquire(tmp_path / "run", wait=True)


# Files of several folders, forced to the disk together: each folder's are whole, or have gone.

NAMES = ("history.csv", "model.safetensors", "report.json")
NEW = dict.fromkeys(NAMES, b"new")


def folders(root, number=3):
    found = [root / f"run{index}" for index in range(number)]
    for folder in found:
        folder.mkdir(parents=True)
        (folder / "report.json").write_bytes(b"old")
    return found


def fail(root, operation, number):
    """What a group of three folders is like after the n-th operation of this kind has failed."""
    disk, staged = Disk(operation, number), [Staged(folder, NEW) for folder in folders(root)]
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        commit(staged)
    left = [{path.name: path.read_bytes() for path in each.folder.iterdir()} for each in staged]
    return disk.failed, [each.error for each in staged], left


@pytest.mark.parametrize("operation", ["fsync", "rename"])
def test_a_failure_is_that_of_one_folder(operation, tmp_path):
    """The n-th call fails, for every n: of that folder the report is as it was, unless it was the
    list of names that could not be forced; the others are whole. Nothing temporary stays.
    """
    found = (fail(tmp_path / str(number), operation, number) for number in count(1))
    failures = list(takewhile(lambda each: each[0], found))
    assert {"fsync": 3 * 3 + 3, "rename": 3 * 3}[operation] == len(failures)
    for number, (_, errors, left) in enumerate(failures):
        assert [errno.ENOSPC] == [error.errno for error in errors if error is not None]
        of_names = number >= 9
        for error, content in zip(errors, left, strict=True):
            whole = error is None or of_names
            assert (b"new" if whole else b"old") == content["report.json"]
            assert content.keys() <= {*NAMES}
            if whole:
                assert NEW == content
            elif operation == "fsync":
                assert {"report.json"} == content.keys()


def test_no_name_is_given_before_all_files_are_on_the_disk(tmp_path, monkeypatch):
    """Files first, then their names in order, then the lists of names."""
    seen, sync, replace = [], os.fsync, os.replace

    def noted_sync(descriptor):
        seen.append("names" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        sync(descriptor)

    def noted_replace(source, target, **where):
        seen.append(target)
        replace(source, target, **where)

    staged = [Staged(folder, NEW) for folder in folders(tmp_path, 2)]
    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    commit(staged)
    assert ["file"] * 6 + [*NAMES] * 2 + ["names"] * 2 == seen


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    """The error names the file as it was to be called."""
    (folder,) = folders(tmp_path, 1)
    Disk("write", 2).install(monkeypatch)
    with pytest.raises(OSError, match="No space left") as caught:
        Staged(folder, NEW)
    assert str(folder / "model.safetensors") == caught.value.filename
    assert ["report.json"] == os.listdir(folder)


@pytest.mark.parametrize("other", ["link", "folder", "nothing"])
def test_what_takes_a_folders_place_is_not_written_to(other, tmp_path):
    """Whether that happens before the files are written or before they get their names."""
    for moment in ("before", "after"):
        (folder,) = folders(tmp_path / moment, 1)
        elsewhere, moved = tmp_path / moment / "elsewhere", tmp_path / moment / "moved"
        elsewhere.mkdir()
        opened = system.Folder(folder)
        staged = Staged(folder, NEW, opened) if moment == "after" else None
        folder.rename(moved)
        if other == "link":
            folder.symlink_to(elsewhere)
        elif other == "folder":
            folder.mkdir()
        staged = staged or Staged(folder, NEW, opened)
        commit([staged])
        opened.close()
        assert isinstance(staged.error, FileNotFoundError)
        assert ["report.json"] == os.listdir(moved)
        assert [] == os.listdir(elsewhere)
        assert other == "nothing" or [] == os.listdir(folder)


def add(group, folder):
    return group.add(Staged(folder, NEW), lambda: sorted(os.listdir(folder)))


@pytest.fixture
def patient(tmp_path, monkeypatch):
    """A group that waits long for others, since there has been a result just now."""
    monkeypatch.setattr(group_commit, "_SECONDS", 60.0)
    group = GroupCommit()
    (folder,) = folders(tmp_path / "first", 1)
    add(group, folder).result(timeout=20)
    return group


def test_a_rare_result_waits_for_no_others(tmp_path, monkeypatch):
    """It is committed at once; what it gives is asked for when all is there."""
    monkeypatch.setattr(group_commit, "_SECONDS", 60.0)
    (folder,) = folders(tmp_path, 1)
    assert sorted(NAMES) == add(GroupCommit(), folder).result(timeout=20)


def test_a_result_waits_for_others_only_so_long(tmp_path):
    """The last of several is committed as well, if nobody comes after it."""
    group = GroupCommit()
    first, *others = folders(tmp_path, 3)
    add(group, first).result(timeout=20)
    added = [add(group, folder) for folder in others]
    assert [sorted(NAMES)] * 2 == [each.result(timeout=20) for each in added]


def test_a_full_group_waits_no_longer(patient, tmp_path):
    """The next one does."""
    *most, last = folders(tmp_path, MOST + 1)
    added = [add(patient, folder) for folder in most]
    assert [sorted(NAMES)] * MOST == [each.result(timeout=20) for each in added]
    waiting = add(patient, last)
    with pytest.raises(TimeoutError):
        waiting.result(timeout=0.2)
    patient.hurry()
    assert sorted(NAMES) == waiting.result(timeout=20)


def test_what_one_of_a_group_raises_is_its_own(patient, tmp_path):
    """Its last word, or the disk: the others have their results."""
    first, second, third = folders(tmp_path)
    futures = [
        patient.add(Staged(first, NEW), lambda: 1),
        patient.add(Staged(second, NEW), lambda: 1 // 0),
        patient.add(Staged(third, NEW), lambda: 3),
    ]
    third.rename(tmp_path / "moved")
    patient.hurry()
    assert 1 == futures[0].result(timeout=20)
    assert ZeroDivisionError is type(futures[1].exception(timeout=20))
    assert FileNotFoundError is type(futures[2].exception(timeout=20))


def test_an_unforeseen_error_reaches_all_that_wait(tmp_path, monkeypatch):
    """No result is waited for in vain."""

    def exhausted(group):
        for staged in group:
            staged.discard()
        raise MemoryError("no memory for a thread")

    monkeypatch.setattr(group_commit, "commit", exhausted)
    together = GroupCommit()
    futures = [together.add(Staged(folder, NEW), lambda: None) for folder in folders(tmp_path)]
    together.hurry()
    for future in futures:
        with pytest.raises(MemoryError, match="no memory for a thread"):
            future.result(timeout=10)


# What sweeps in progress say of themselves.

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
