"""What `.ci/run` says of known weaknesses: they fail it; packages it cannot look up are named."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

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


def test_a_registry_that_does_not_answer_is_reported() -> None:
    """With the last line of what pip-audit said."""
    code, lines = VERDICT(None, "Traceback\nConnectionError: no route to host\n")
    assert 0 == code
    assert ["NOT AUDITED, the registry cannot be asked: ConnectionError: no route to host"] == lines
