"""A results folder with runs of every kind, and the application over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reports.conftest import train_everything
from tests.ui.asking import Asker


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    return train_everything(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def asker(results) -> Iterator[Asker]:
    found = Asker(results)
    yield found
    found.close()


@pytest.fixture
def ask_in(tmp_path):
    """Makes an application over another folder."""
    made = []

    def make(root: Path = tmp_path / "results", **options) -> Asker:
        made.append(Asker(root, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def run_of(results: Path, name: str) -> str:
    """`name/run id` of the first run of an experiment."""
    return f"{name}/{min(place.name for place in (results / name).iterdir())}"
