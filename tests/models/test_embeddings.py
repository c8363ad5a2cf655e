"""Trained networks with embeddings and means of the target: stored, predicted, exported."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pandas as pd
import pytest

import nnrun
from nnrun.data.inference.sources import UnknownCategoryWarning
from nnrun.errors import DataError
from nnrun.models.code.script import LANGUAGES, script
from nnrun.models.model import input_names
from nnrun.models.onnx import onnx_bytes

SHOPS = [f"shop {i}" for i in range(8)]
NEW = ["shop 3", "shop 7", "new one", "once"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A file of sales in eight shops; one shop has a single row."""
    rng = np.random.default_rng(0)
    shop = rng.integers(8, size=160)
    size = rng.normal(size=160).round(3)
    price = np.cos(3 * shop) + size / 2 + rng.normal(0, 0.1, 160)
    frame = pd.DataFrame({"size": size, "shop": [SHOPS[i] for i in shop], "price": price})
    frame.loc[0, "shop"] = "once"
    path = tmp_path_factory.mktemp("sales") / "sales.csv"
    frame.to_csv(path, index=False)
    return path, frame


@pytest.fixture(scope="module")
def runs(table, tmp_path_factory):
    """A run for each way to treat the shops, stored in a folder."""
    results = tmp_path_factory.mktemp("results")
    return {
        key: nnrun.train(
            {
                "name": key,
                "dataset": {
                    "path": str(table[0]),
                    "columns": {"target": "price", key: value, "min_count": 2},
                    "test_size": 0.25,
                    "features": ["standard"],
                },
                "network": {"sizes": [6, 1], "activations": ["tanh", "linear"]},
                "loss": "mean_squared",
                "training": {"optimizer": "adam", "learning_rate": 0.02, "epochs": 25,
                             "batch_size": 8},
            },
            results=results,
        )
        for key, value in {"embedding": {"shop": 3}, "target_mean": ["shop"]}.items()
    }  # fmt: skip


@pytest.fixture(params=["embedding", "target_mean"])
def run(request, runs):
    """One of them."""
    return runs[request.param]


def rows_of(run, frame):
    """Raw rows as exports take them: the columns, encoded."""
    return run.model.rows(frame)


def test_it_learns_from_the_column(run):
    """More than the other feature has."""
    assert run.metrics["test"]["r2"] > 0.7


def test_new_categories_are_predicted_as_rare_ones(run):
    """With a warning that has their number."""
    frame = pd.DataFrame({"size": 0.5, "shop": NEW})
    with pytest.warns(UnknownCategoryWarning, match=r"shop: 1 cell has .*\('new one'\).*rare one$"):
        predicted = run.predict(frame)
    assert predicted[2] == predicted[3] != predicted[0]


def test_a_stored_run_predicts_the_same(run, table):
    """Its tables and means are restored."""
    frame = table[1].iloc[1:20]
    assert run.predict(frame).tolist() == nnrun.load(run.path).predict(frame).tolist()


def test_onnx_predicts_the_same(run, table):
    """From encoded rows, in single precision."""
    rows = rows_of(run, table[1].iloc[:40])
    session = onnxruntime.InferenceSession(onnx_bytes(run.model))
    found = session.run(["prediction"], {"x": rows.astype(np.float32)})[0]
    np.testing.assert_allclose(found, run.model.predict(rows), rtol=0, atol=1e-5)


@pytest.mark.parametrize("language", ["numpy", pytest.param("pytorch", marks=pytest.mark.pytorch)])
def test_scripts_predict_the_same(run, table, language):
    """From encoded rows."""
    rows = rows_of(run, table[1].iloc[:40])
    made: dict = {"__name__": "exported"}
    exec(script(run.model, LANGUAGES[language]), made)
    np.testing.assert_allclose(made["predict"](rows), run.model.predict(rows), rtol=0, atol=1e-12)


def test_numbers_of_no_category_are_refused(runs):
    """By the model and by scripts, as an index out of range would be."""
    model = runs["embedding"].model
    rows = np.array([[0.5, 1.0], [0.5, 9.0]])
    with pytest.raises(DataError, match=r"row 1 has 9.0 in the column 'shop', where the numbers"):
        model.predict(rows)
    made: dict = {"__name__": "exported"}
    exec(script(model, LANGUAGES["numpy"]), made)
    with pytest.raises(ValueError, match="a row has no number of a category of 'shop'"):
        made["predict"](rows)


def test_parameters_are_described(runs):
    """Those of the tables apart from those of the layers."""
    network = runs["embedding"].record.network
    expected = [{"column": "shop", "entries": 9, "dimensions": 3, "parameters": 27}]
    assert (expected, 27 + 4 * 6 + 6 + 7) == (network["embeddings"], network["parameters"])
    assert [30, 7] == [layer["parameters"] for layer in network["layers"]]
    assert "embeddings" not in runs["target_mean"].record.network
    columns = runs["embedding"].model.layout.columns
    assert ["size", "shop[0]", "shop[1]", "shop[2]"] == input_names(columns)
