"""Folders that one process holds at a time."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from nnrun.runs.storage.durable import acquire
from nnrun.runs.storage.store import RunFolder


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
