"""Runs of configs that are written by the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.config.load import load_config
from nnrun.reports.run import report_markdown
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.store import Store

IRIS = """
name: tiny
dataset: {name: iris, validation_size: 0.2, features: standard}
network: {sizes: [4, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 200, batch_size: 8}
seed: 3
"""
WILD = """
name: wild
dataset: {name: boston}
network: {sizes: [5, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 10.0, iterations: 2000}
"""


@pytest.fixture
def prepared(tmp_path):
    """Prepares a config's text with overrides."""

    def make(text: str | None = None, *overrides: str):
        path = tmp_path / "config.yaml"
        path.write_text(text or IRIS)
        return prepare(load_config(path, overrides))

    return make


@pytest.fixture
def store(tmp_path):
    """An empty results folder."""
    return Store(tmp_path / "results", report_markdown)


@pytest.fixture
def configs():
    """The configs that the project ships."""
    return Path(__file__).parents[2] / "configs"
