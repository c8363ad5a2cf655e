"""Durable files, locks, and commits in groups."""

from __future__ import annotations

import errno
import os
from itertools import count, takewhile
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from nnrun.runs.storage import group_commit
from nnrun.runs.storage.durable import acquire, read_regular
from nnrun.runs.storage.group_commit import MOST, GroupCommit
from nnrun.runs.storage.progress import read_own
from nnrun.runs.storage.staged import Staged, commit
from nnrun.runs.storage.store import RunFolder
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
