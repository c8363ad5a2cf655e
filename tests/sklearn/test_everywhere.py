"""The notebook's experiments predict alike wherever they are put to use."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import nnrun
from nnrun.config.load import load_config
from nnrun.runs.preparation.prepare import prepare
from nnrun.sklearn import NetworkClassifier, NetworkRegressor
from tests.benchmarks.processes import CONFIGS, NOTEBOOK
from tests.lab import invoke_well


@pytest.mark.parametrize("name", NOTEBOOK)
def test_predictions_agree(name, tmp_path, monkeypatch):
    """Command line, Python, estimator and script to the bit or the last one, ONNX as far as single
    precision goes; classes, values in their own units, and probabilities.
    """
    monkeypatch.chdir(tmp_path)
    file = CONFIGS / f"{name}.yaml"
    invoke_well("train", str(file), "--iterations", "300", "training.engine=numpy")
    x = prepare(load_config(file)).split.test.x
    np.savez("rows.npz", x=x)

    run = nnrun.load(name)
    values = run.predict(x)
    classes = run.record.task == "classification"
    probabilities = run.predict_proba(x) if run.model.probabilistic else None

    invoke_well("predict", name, "rows.npz", "-o", "out.npz")
    invoke_well("predict", name, "rows.npz", "-o", "out.csv")
    with np.load("out.npz") as out, Path("out.csv").open() as file:
        rows = list(csv.reader(file))[1:]
        np.testing.assert_array_equal(values, out["prediction"])
        np.testing.assert_array_equal(values.astype(str), [row[0] for row in rows])
        assert ("probability" in out) == (probabilities is not None)
        if probabilities is not None:
            np.testing.assert_array_equal(probabilities, out["probability"])
            np.testing.assert_array_equal(probabilities, [list(map(float, r[1:])) for r in rows])

    estimator = (NetworkClassifier if classes else NetworkRegressor).from_run(name)
    with warnings.catch_warnings(action="ignore"):  # rows without the names of their columns
        np.testing.assert_array_equal(values, estimator.predict(x.reshape(len(x), -1)))

    invoke_well("export", name, "-o", "model.py")
    script = {"__name__": "model"}
    exec(Path("model.py").read_text(), script)
    invoke_well("export", name, "-o", "model.onnx")
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    single = session.run(None, {"x": x.astype(np.float32)})
    if not classes:
        np.testing.assert_allclose(script["predict"](x), values, rtol=1e-12)
        np.testing.assert_allclose(single[0], values, rtol=1e-5)
        return
    np.testing.assert_array_equal(values, script["predict"](x))
    # A row between two classes may fall to the other in single precision.
    outputs = np.sort(run.model.outputs(x), axis=1)
    sure = outputs[:, -1] - outputs[:, -2] > 1e-4
    assert sure.mean() > 0.95
    np.testing.assert_array_equal(values[sure], single[0][sure])
    if probabilities is not None:
        np.testing.assert_allclose(script["predict_proba"](x), probabilities, atol=1e-12)
        np.testing.assert_allclose(single[1], probabilities, atol=1e-5)
