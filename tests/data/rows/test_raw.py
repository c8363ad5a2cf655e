"""Rows that are read in blocks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from nnrun.config.load import config_from_dict
from nnrun.data import rows as raw
from nnrun.data.dataset import Dataset
from nnrun.data.rows import RawRows, equal_rows
from nnrun.data.splits import load_dataset
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare_again, prepare_arrays

SHOPS = "uuuvvw"


@pytest.fixture
def table(tmp_path):
    """A table with missing numbers, and categories that not all splits have."""
    rng, path = np.random.default_rng(0), tmp_path / "towns.csv"
    lines = [
        f"t{rng.integers(30)},{SHOPS[rng.integers(6)]},{'' if i % 9 == 0 else rng.normal()},"
        f"{rng.normal()}"
        for i in range(120)
    ]
    path.write_text("\n".join(["town,shop,a,price", *lines]))
    return {
        "name": "towns",
        "dataset": {
            "path": str(path),
            "columns": {"target": "price", "categorical": ["town", "shop"]},
            "task": "regression",
            "missing": {"impute": "median"},
            "features": ["standard", "l2"],
            "target": "standard",
            "validation_size": 0.2,
        },
        "network": {"sizes": [3, 1], "activations": ["tanh", "linear"]},
        "loss": "mean_squared",
        "training": {"learning_rate": 0.01, "iterations": 20, "batch_size": 4},
    }


def trained(config):
    """The record of a run as JSON data, without times."""
    parsed = config_from_dict(config)
    prepared = prepare_arrays(config, load_dataset(parsed.dataset))
    result = train(prepare_again(prepared.config, prepared.dataset), None).result
    record = result.record.to_dict()
    return {key: record[key] for key in ("metrics", "weights_sha256", "dataset", "warnings")}


def test_the_size_of_blocks_changes_no_bit(table, monkeypatch):
    """With filled-in numbers, chosen categories, and statistics after a step."""
    whole = trained(table)
    monkeypatch.setattr(raw, "_BLOCK", 150)
    assert whole == trained(table)


def test_rows_of_two_arrays_are_numbered_through():
    """Whatever their kinds of numbers; blocks give the places of their rows."""
    first, second = np.arange(6, dtype=np.uint8).reshape(3, 2), np.full((2, 2), 0.5)
    rows = RawRows((first, second), np.array([4, 0, 3, 2]))
    expected = [[0.5, 0.5], [0, 1], [0.5, 0.5], [4, 5]]
    assert expected == rows.all().tolist()
    found = np.zeros((4, 2))
    for places, block in rows.as_stored():
        found[places] = block
    assert expected == found.tolist()
    assert [[4, 5], [0.5, 0.5]] == rows.take(np.array([3, 0])).all().tolist()
    assert [[1], [5]] == rows.take(np.array([1, 3])).features(range(1, 2)).tolist()


def test_a_split_is_no_copy_of_its_rows():
    """Its rows refer to those of the set."""
    data = Dataset("a", "regression", np.zeros((9, 2)), np.zeros((9, 1)))
    rows = RawRows.of(*data.parts).take(np.arange(5))
    assert data.x is rows.parts[0]


def test_equal_rows_take_little_memory(monkeypatch):
    """At most four arrays of a number a row; those returned are in the order of the hashes."""
    monkeypatch.setattr(raw, "_BLOCK", 1000)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (400_000, 1)).astype(np.float64), np.zeros(400_000)
    tracemalloc.start()
    try:
        numbers = equal_rows([x], y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * len(x)
    assert np.unique(raw._hashes([x], y), return_inverse=True)[1].tolist() == numbers.tolist()
