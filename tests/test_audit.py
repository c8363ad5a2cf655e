"""What `.ci/run` says of known weaknesses: they fail it; packages it cannot look up are named."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

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
