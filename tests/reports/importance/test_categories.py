"""Partial dependence on columns of categories, whatever features they become."""

from __future__ import annotations

import numpy as np
import pytest

import nnrun
from nnrun.config.load import config_from_dict
from nnrun.data.splits import load_dataset
from nnrun.reports import importance as columns
from nnrun.runs.preparation.prepare import prepare_again

# A shop for each number of rows, in training and among those that are shown.
ROWS = {"a": 30, "b": 3, "c": 20, "d": 25, "e": 2}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A file whose target is the number of the shop."""
    shops = [shop for shop, rows in ROWS.items() for _ in range(rows)]
    shops = np.random.default_rng(0).permutation(shops).tolist()
    lines = ["size,shop,price", *(f"{i % 7},{s},{'abcde'.index(s)}" for i, s in enumerate(shops))]
    path = tmp_path_factory.mktemp("shops") / "shops.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("key", ["categorical", "embedding", "target_mean"])
def test_many_categories_are_those_that_most_rows_have(key, table, monkeypatch):
    """Each is predicted for all rows, and named."""
    listed = {"shop": 3} if key == "embedding" else ["shop"]
    config = {
        "dataset": {"path": str(table), "columns": {"target": "price", key: listed},
                    "test_size": 0},
        "network": {"sizes": [6, 1], "activations": ["tanh", "linear"]},
        "loss": "mean_squared",
        "training": {"optimizer": "adam", "learning_rate": 0.05, "epochs": 60, "batch_size": 8},
    }  # fmt: skip
    run = nnrun.train(config, results=None)
    resolved = config_from_dict(run.config)
    part = prepare_again(resolved, load_dataset(resolved.dataset)).split.train
    monkeypatch.setattr(columns, "_MOST_CHOICES", 3)
    found = columns.partial_dependence(run.model, part, "shop")
    assert ["a", "c", "d"] == found.values
    means = [mean for (mean,) in found.means]
    np.testing.assert_allclose(means, [0, 2, 3], atol=0.5)
