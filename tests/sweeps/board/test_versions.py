"""Leaderboards of another version of nnrun."""

from __future__ import annotations

import pytest

from nnrun.errors import DamageError
from nnrun.runs.storage.sealed import sealed_json
from nnrun.sweeps.board.rows import Leaderboard, read_board


def test_a_leaderboard_of_another_version_is_not_read(tmp_path):
    """The message says so, and what makes it anew."""
    file, board = tmp_path / "leaderboard.json", Leaderboard("nnrun sweep a.yaml", [])
    content = board.to_dict()
    file.write_bytes(sealed_json(content))
    assert board == read_board(file)
    file.write_bytes(sealed_json({**content, "schema_version": 2}))
    with pytest.raises(DamageError, match=r"of another version of nnrun.*writes it anew"):
        read_board(file)
