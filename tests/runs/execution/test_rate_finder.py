"""The range test of a learning rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.runs.execution.rate_finder import RateCurve, find_rate
from nnrun.runs.preparation.prepare import prepare

LINEAR = {
    "dataset": {"path": "line.csv", "columns": {"target": "y"}, "target": "none", "test_size": 10},
    "network": {"layers": [{"type": "dense", "units": 1}]},
    "loss": "mean_squared",
    "training": {"learning_rate": 1.0, "epochs": 3, "batch_size": 110},
}


@pytest.fixture
def find(tmp_path, monkeypatch):
    """Tests the rate of a linear model whose loss has the curvature 2 in every direction."""
    monkeypatch.chdir(tmp_path)
    x = np.tile([-1.0, 1.0], 60)
    rows = "".join(f"{a},{3 * a + 5}\n" for a in x)
    Path("line.csv").write_text(f"x,y\n{rows}")

    def found(*overrides: str) -> RateCurve:
        experiment = load_config(LINEAR, overrides)
        return find_rate(prepare(experiment), experiment)

    return found


def test_a_quadratic_loss(find):
    """Gradient descent is stable up to a rate of about 1: the suggestion is below, the end above.

    The mean of (w x + b - y)² has the Hessian 2 I but for the rows of the test split, at most 9%
    off, so that a rate η multiplies errors by 1 - 2 η.
    """
    found = find()

    assert 0 < found.suggestion < 0.9 < found.highest
    assert sorted(found.rates) == found.rates
    assert min(found.losses) < 0.05 * found.losses[0]


def test_the_same_config_gives_the_same_curve(find):
    """Nothing depends on timing, and nothing is stored."""
    assert find() == find()
    assert ["line.csv"] == [path.name for path in Path.cwd().iterdir()]


def test_a_network_that_does_not_learn(find):
    """Without a signal in the gradient no rate is suggested."""
    found = find("network.layers=[{type: dense, units: 1, activation: relu, initializer: zeros}]")

    assert (None, None) == (found.suggestion, found.highest)
