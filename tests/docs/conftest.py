"""A folder with what pages name, and with the runs that they speak of."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.docs.examples import write_files
from tests.lab import invoke_well


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A folder in which `first` and `digits_cnn` are trained."""
    folder = tmp_path_factory.mktemp("docs")
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_files()
        for words in (["configs/digits_cnn.yaml"], ["first.yaml", "seed=7"], ["first.yaml"]):
            invoke_well("train", *words)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def folder(trained, tmp_path, monkeypatch) -> Path:
    """A copy of it, as the current folder."""
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    monkeypatch.chdir(copy)
    return copy
