"""CONTRIBUTING.md names files that exist."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = runpy.run_path(str(ROOT / ".ci" / "house.py"))
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = [*(path.as_posix() for top in ("nnrun", "tests") for path in (ROOT / top).rglob("*"))]
NAMED = sorted(set(re.findall(r"`([\w/]+/?\w*\.(?:py|txt|md)|[\w]+/[\w/]*)`", TEXT)))


@pytest.mark.parametrize("name", NAMED)
def test_the_files_that_are_named_exist(name: str) -> None:
    """A path may leave out the folders that its paragraph is about."""
    end = f"/{name.rstrip('/')}"
    assert any(f"/{file}".endswith(end) for file in FILES) or (ROOT / name).is_file()


def test_the_map_has_every_folder_once() -> None:
    """In the order of the import contract; folders on one floor may stand in any."""
    drawn = re.findall(r"^(\w+)/ ", TEXT.split("## Where things are")[1].split("```")[1], re.M)
    folders = [path.parent.name for path in (ROOT / "nnrun").glob("*/__init__.py")]
    floors = {name: place for place, names in enumerate(HOUSE["floors"]()) for name in names}
    assert sorted(drawn, key=floors.__getitem__) == drawn
    assert sorted(folders) == sorted(drawn)
