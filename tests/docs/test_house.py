"""The picture of the folders, and the table below it, follow the import contract."""

from __future__ import annotations

import re
import runpy

from tests.docs.examples import DOCS, ROOT

HOUSE = runpy.run_path(str(ROOT / ".ci" / "house.py"))


def test_the_picture_is_that_of_the_contract():
    """A folder or a first sentence that changes is drawn again: `.venv/bin/python .ci/house.py`."""
    assert HOUSE["drawn"]() == (DOCS / "house.svg").read_text(encoding="utf-8")


def test_the_table_has_the_floors_of_the_contract():
    """From top to bottom; folders that do not know each other share a row."""
    text = (DOCS / "inside.md").read_text(encoding="utf-8")
    table = text[text.index("| floor |") :].partition("\n\n")[0].splitlines()[2:]
    assert HOUSE["floors"]() == [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table]
