"""Estimators whose weights are averaged predict with the average."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris

import nnrun
from nnrun.sklearn import NetworkClassifier

SETTINGS = {
    "layers": (5,), "optimizer": "sgd", "learning_rate": 0.1, "epochs": 3, "random_state": 0,
    "n_iter_no_change": np.inf, "engine": "numpy",
}  # fmt: skip


def theta(model: NetworkClassifier) -> np.ndarray:
    return model.network_.theta


def test_the_average_of_a_fit_is_that_of_its_updates():
    """It lies between the initial weights and the last ones, by the shares of its updates."""
    x, y = load_iris(return_X_y=True)
    steps = [
        theta(NetworkClassifier(**{**SETTINGS, "epochs": None, "iterations": n}).fit(x, y))
        for n in range(1, 5)
    ]
    start = NetworkClassifier(**{**SETTINGS, "learning_rate": 1e-300, "epochs": 1}).fit(x, y)
    expected = theta(start)
    for t, weights in enumerate(steps):
        d = min(0.3, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * weights
    settings = {**SETTINGS, "epochs": None, "iterations": 4, "average": {"ema": 0.3}}
    model = NetworkClassifier(**settings).fit(x, y)
    np.testing.assert_allclose(theta(model), expected, 1e-12, 1e-12)


def test_a_warm_start_averages_from_the_weights_of_the_last_fit():
    """Where nothing is learned, they stay."""
    x, y = load_iris(return_X_y=True)
    model = NetworkClassifier(**SETTINGS, average={"ema": 0.9}, warm_start=True).fit(x, y)
    first = theta(model).copy()
    model.set_params(learning_rate=1e-300).fit(x, y)
    np.testing.assert_allclose(theta(model), first, 1e-12)


def test_partial_fits_have_none():
    """An epoch cannot go on from weights that were replaced by their average."""
    x, y = load_iris(return_X_y=True)
    model = NetworkClassifier(**SETTINGS, average={"ema": 0.9})
    with pytest.raises(ValueError, match="partial_fit does not go with average"):
        model.partial_fit(x, y, classes=[0, 1, 2])


def test_an_estimator_of_a_run_has_its_average(tmp_path):
    """Its parameters have the block of the config."""
    config = {
        "dataset": {"name": "iris"},
        "network": {"sizes": [3, 3], "activations": ["tanh", "softmax"]},
        "loss": "cross_entropy",
        "training": {"learning_rate": 0.1, "iterations": 5, "average": {"ema": 0.9}},
    }  # fmt: skip
    run = nnrun.train(config, results=tmp_path)
    assert {"ema": 0.9} == NetworkClassifier.from_run(run.path).average
