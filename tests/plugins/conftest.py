"""What the tests of plugins share: plugins that a test loads are known to that test alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nnrun.plugins import unload

HERE = Path(__file__).parent
ALL = """
dataset: {name: wave, rows: 80, features: [root]}
network:
  initializer: small
  layers:
    - {type: dense, units: 6, activation: bend}
    - {type: squash}
    - {type: dense, units: 1}
loss: fourth
training:
  optimizer: signed
  learning_rate: {schedule: halves, initial: 0.05}
  iterations: 40
  batch_size: 8
metrics: [worst_tenth]
"""
"""A config with a part of each kind of `parts.py`."""


def weights_of(folder: Path) -> dict[str, Any]:
    """The bytes of each run's weights, by run id."""
    return {file.parent.name: file.read_bytes() for file in folder.glob("*/*/model.safetensors")}


def install(
    site: Path, module: str, code: str, others: dict[str, str] | None = None, group: str = ""
) -> None:
    """Put a package with an entry point into a folder, as pip does."""
    name = module.replace("_", "-")
    if others is None:
        (site / f"{module}.py").write_text(code)
    else:
        (site / module).mkdir(exist_ok=True)
        for file, content in {"__init__.py": code, **others}.items():
            (site / module / file).write_text(content)
    metadata = site / f"{module}-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    text = f"[{group or 'nnrun.plugins'}]\nparts = {module}\n"
    (metadata / "entry_points.txt").write_text(text)


# Plugins that a test loads are known to that test alone.


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
