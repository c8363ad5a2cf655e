"""Plugins that a test loads are known to that test alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nnrun.plugins import unload


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    unload()
    yield
    unload()
