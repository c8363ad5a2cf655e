"""Folders that one process holds at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.runs.locks import acquire


def test_one_holder_at_a_time(tmp_path):
    """Who does not want to wait learns that a folder is held, and gets it once it is free."""
    folder = tmp_path / "run"
    first = acquire(folder, wait=False)
    assert acquire(folder, wait=False) is None
    first.release()
    second = acquire(folder, wait=False)
    assert folder == second.folder
    second.release()


def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path):
    """A lock on a folder that others no longer find would be worth nothing."""
    folder = tmp_path / "run"
    old = acquire(folder, wait=False)
    folder.rmdir()
    new = acquire(folder, wait=False)
    assert folder.is_dir()
    old.release()
    new.release()


def test_a_place_where_nothing_can_be_made_is_an_error(monkeypatch, tmp_path):
    """A file system that refuses every folder, as /proc does, is no reason to try for ever."""

    def refuse(self, **options):
        raise FileNotFoundError(2, "No such file or directory", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(FileNotFoundError):
        acquire(tmp_path / "run", wait=True)
