"""Completion in shells that not every machine has; `.ci/run shells` installs them."""

from __future__ import annotations

import pytest

from tests.cli.test_completion import (
    COMPLETED,
    SETTINGS,
    lines_after_tabs,
    proposals_of_fish,
    write_files,
)


@pytest.mark.parametrize("line", SETTINGS["zsh"])
def test_zsh_completes(line, tmp_path):
    """With the line of the pages, a tab completes commands, options, files and runs."""
    write_files(tmp_path)
    assert [*COMPLETED.values()] == lines_after_tabs("zsh", line, tmp_path)


@pytest.mark.parametrize("line", SETTINGS["fish"])
def test_fish_completes(line, tmp_path):
    """With the line of the pages, fish proposes commands, options, files and runs."""
    write_files(tmp_path)
    last_words = [line.rpartition(" ")[2] for line in COMPLETED.values()]
    assert last_words == proposals_of_fish(line, tmp_path)
