"""Every hostile input of the table is refused, in words that say what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.refused import configs, files
from tests.hostile.refused.refusals import Case
from tests.lab import Lab

CASES = [*configs.SYNTAX, *configs.VALUES, *configs.ARGUMENTS]
CASES += [*files.TABLES, *files.COMPRESSED, *files.IMAGES, *files.PATHS]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_it_is_refused(case: Case, lab: Lab, folder: Path) -> None:
    """Exit code 2 with the words of the table, in a screenful or two, and nothing is written."""
    case.make()
    before = sorted(folder.rglob("*"))
    answer = lab(*case.words)
    assert case.said in answer.said
    assert 2 == answer.code
    assert "internal error" not in answer.said
    assert len(answer.said) < 20_000
    assert before == sorted(folder.rglob("*"))
