"""Plugins that a test loads are known to that test alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nnrun.plugins import unload
from tests.plugins.sources import ALL, HERE


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    unload()
    yield
    unload()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with `parts.py` and the config `all.yaml` that names all of it."""
    shutil.copy(HERE / "parts.py", tmp_path)
    (tmp_path / "all.yaml").write_text(ALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a plugin file, with the imports that most need."""

    def to_file(code: str, name: str = "mine.py") -> Path:
        head = "import numpy as np\nfrom nnrun.nn import *\nfrom nnrun.plugins import register\n"
        file = tmp_path / name
        file.write_text(head + code)
        return file

    return to_file
