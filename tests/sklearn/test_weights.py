"""Weights of rows and classes in estimators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import scale
from sklearn.utils.class_weight import compute_sample_weight

import nnrun
from nnrun.sklearn import NetworkClassifier, NetworkRegressor

ROWS = 40
WEIGHTS = np.random.default_rng(0).integers(0, 4, ROWS)
FULL = {"epochs": 8, "batch_size": 1000, "sampling": "in_order", "random_state": 0}


@pytest.fixture(scope="module")
def tumours():
    x, y = load_breast_cancer(return_X_y=True)
    return scale(x)[:ROWS], np.array(["malignant", "benign"])[y[:ROWS]]


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_a_weight_of_two_is_the_row_twice(engine: str, alpha: float, tumours) -> None:
    """Losses and weights of a classifier and a regressor, the L2 penalty included, to 1e-12."""
    settings = {**FULL, "engine": engine, "alpha": alpha, "layers": (5,)}
    x, values = load_diabetes(return_X_y=True)
    for kind, (rows, y) in (
        (NetworkClassifier, tumours),
        (NetworkRegressor, (scale(x)[:ROWS], scale(values)[:ROWS])),
    ):
        weighted = kind(**settings).fit(rows, y, sample_weight=WEIGHTS)
        repeated = kind(**settings).fit(np.repeat(rows, WEIGHTS, axis=0), np.repeat(y, WEIGHTS))

        np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-12)
        np.testing.assert_allclose(
            weighted.network_.theta, repeated.network_.theta, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("class_weight", ["balanced", {"malignant": 3.0}])
def test_class_weight_is_the_sample_weight_of_its_rows(class_weight, tumours) -> None:
    """As scikit-learn computes it, also beside weights of rows."""
    x, y = tumours
    for given in (None, np.arange(ROWS) % 2 + 1.0):
        by_class = NetworkClassifier((5,), class_weight=class_weight, **FULL)
        if class_weight == "balanced" and given is not None:
            continue  # scikit-learn's own estimators count rows, and not their weights
        factors = compute_sample_weight(class_weight, y) * (1 if given is None else given)
        by_row = NetworkClassifier((5,), **FULL).fit(x, y, sample_weight=factors)

        found = by_class.fit(x, y, sample_weight=given).network_.theta
        np.testing.assert_allclose(found, by_row.network_.theta, rtol=0, atol=1e-12)


def test_weights_that_cannot_be_meant_are_refused(tumours) -> None:
    """Unknown labels, negative weights, and class weights of a regression."""
    x, y = tumours
    with pytest.raises(ValueError, match="class_weight: 'other' is none of the classes"):
        NetworkClassifier(class_weight={"other": 1.0}, **FULL).fit(x, y)
    with pytest.raises(ValueError, match="Negative values"):
        NetworkClassifier(**FULL).fit(x, y, sample_weight=-np.ones(ROWS))
    with pytest.raises(ValueError, match="class_weight: there are no classes"):
        NetworkRegressor(class_weight="balanced", **FULL).fit(x, x[:, 0])


def test_a_run_gives_its_class_weights_to_the_estimator(tmp_path: Path, tumours) -> None:
    """By the labels that its model predicts, so that a clone can be fitted."""
    run = nnrun.train(
        {
            "name": "weighted",
            "dataset": {"name": "iris", "features": "standard"},
            "network": {"sizes": [3], "activations": ["softmax"]},
            "loss": "cross_entropy",
            "training": {
                "learning_rate": 0.1,
                "iterations": 5,
                "class_weight": {"setosa": 2, "virginica": 0.5},
            },
        },
        results=tmp_path,
    )
    estimator = NetworkClassifier.from_run(run.path)

    assert {"setosa": 2.0, "virginica": 0.5} == estimator.class_weight
    x, y = tumours
    labels = np.where(y == "benign", "setosa", "virginica")
    assert {"setosa", "virginica"} == {*clone(estimator).fit(x, labels).classes_}
