"""What the tests of tables share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nnrun
from tests.data.readers.tables.made import DATASET, write_all
from tests.lab import invoke_well


@pytest.fixture(scope="package")
def files(tmp_path_factory) -> list[Path]:
    """The table in files of all formats; the first is CSV as pandas writes it."""
    return write_all(tmp_path_factory.mktemp("formats"))


@pytest.fixture(scope="package")
def config() -> Callable[..., dict[str, Any]]:
    """A maker of configs for the table, with further keys of its data set."""

    def make(**dataset: Any) -> dict[str, Any]:
        return {
            "name": "houses",
            "dataset": {**DATASET, **dataset},
            "network": {"sizes": [3, 1], "activations": ["tanh", "linear"]},
            "loss": "mean_squared",
            "training": {"learning_rate": 0.01, "iterations": 20, "engine": "numpy"},
        }

    return make


@pytest.fixture(scope="package")
def expected(files, config, tmp_path_factory) -> nnrun.Run:
    """A run on the first file."""
    results = tmp_path_factory.mktemp("results")
    return nnrun.train(config(path=str(files[0])), results=results)


@pytest.fixture
def printed() -> Callable[..., str]:
    """Runs a command that succeeds, and returns what it prints."""
    return lambda *words: invoke_well(*words).out
