"""A results folder."""

from __future__ import annotations

import pytest

from nnrun.runs.storage.store import Store


@pytest.fixture
def store(tmp_path):
    """An empty one."""
    return Store(tmp_path / "results", lambda result: f"{result.record.name}\n")
