"""What `.ci/run` and `.ci/matrix.py` say and leave behind."""

from __future__ import annotations

import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

# What `.ci/run` says of known weaknesses: they fail it; packages it cannot look up are named.

ROOT = Path(__file__).parents[1]
SOUND_FROM = {
    "cairosvg": "2.9.0",
    "distributed": "2026.1.1",
    "h11": "0.16.0",
    "jinja2": "3.1.6",
    "mlflow": "3.13.0",
    "mlflow-skinny": "3.13.0",
    "onnx": "1.21.0",
    "pillow": "13.0.0",
    "pyarrow": "17.0.0",
    "pyyaml": "5.4",
    "starlette": "1.3.1",
    "torch": "2.8.0",
    "tornado": "6.5.8",
}
"""The first version of each without a weakness that was known in December 2026."""
VERDICT = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "audit.py"))["verdict"]
SOUND = {"name": "click", "version": "8.1.7", "vulns": []}
WEAK = {"name": "jinja2", "version": "3.0", "vulns": [{"id": "CVE-1", "fix_versions": ["3.1"]}]}
UNKNOWN = {"name": "numpy", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "code", "expected"),
    [
        ([SOUND], 0, ["audited: 1 of 1 packages"]),
        ([SOUND, WEAK], 1, ["jinja2 3.0: CVE-1, mended in 3.1", "audited: 2 of 2 packages"]),
        (
            [UNKNOWN],
            0,
            ["audited: 0 of 1 packages", "NOT AUDITED, unknown to the registry: numpy"],
        ),
    ],
)
def test_weaknesses_fail_and_gaps_are_reported(
    packages: list[dict[str, Any]], code: int, expected: list[str]
) -> None:
    """A registry that knows of no package finds no weakness either; that must not look clean."""
    assert (code, expected) == VERDICT({"dependencies": packages, "fixes": []}, "")


@pytest.mark.parametrize(("name", "sound"), SOUND_FROM.items())
def test_lower_bounds_allow_no_known_weakness(name: str, sound: str) -> None:
    """Of dependencies and of extras; those that others bring are named for their bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    asked = [r for r in map(Requirement, lines) if r.name == name]
    assert asked
    bounds = [s.version for r in asked for s in r.specifier if s.operator == ">="]
    assert len(asked) == len(bounds)
    assert all(Version(bound) >= Version(sound) for bound in bounds), bounds


def test_a_registry_that_does_not_answer_is_reported() -> None:
    """With the last line of what pip-audit said."""
    code, lines = VERDICT(None, "Traceback\nConnectionError: no route to host\n")
    assert 0 == code
    assert ["NOT AUDITED, the registry cannot be asked: ConnectionError: no route to host"] == lines


# What `.ci/matrix.py` leaves behind: nothing, or with `--keep` the environments of its tests.

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
