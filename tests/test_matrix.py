"""What `.ci/matrix.py` leaves behind: nothing, or with `--keep` the environments of its tests."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

MAIN = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "matrix.py"))["main"]


@pytest.fixture
def environments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The folders in which tests that failed would have run."""
    folders: list[Path] = []

    def failing(python: str, pins: list[str], folder: Path) -> tuple[bool, str, str]:
        (folder / "bin").mkdir()
        folders.append(folder)
        return False, "1 failed", "0" * 12

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(MAIN.__globals__, "interpreters", lambda: {"3.11": sys.executable})
    monkeypatch.setitem(MAIN.__globals__, "with_pytorch", list)  # reads all tests
    monkeypatch.setitem(MAIN.__globals__, "tested", failing)
    return folders


def test_an_environment_is_removed(environments: list[Path], tmp_path: Path) -> None:
    """Also if tests failed there."""
    assert 1 == MAIN(["3.11"])
    assert ([], 1) == (list(tmp_path.iterdir()), len(environments))


def test_an_environment_that_is_kept_is_named(
    environments: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of them, with all that is in it."""
    assert 1 == MAIN(["--keep", "3.11", "lowest"])
    assert set(environments) == set(tmp_path.iterdir())
    assert [True, True] == [(folder / "bin").is_dir() for folder in environments]
    assert [f"kept: {folder}" for folder in environments] == [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("kept")
    ]
