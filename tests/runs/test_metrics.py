"""The numbers of a report against numbers worked out by hand."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from nnrun.models.task import Classification, Regression
from nnrun.runs.metrics import baseline_of, metrics_of
from nnrun.training.examples import Examples

PLAIN = Regression(lambda y: y, lambda y: y)


def test_regression():
    """Errors of 1, 1 and 2 on targets 1, 2, 3."""
    outputs = np.array([[2.0], [1.0], [5.0]])
    metrics = metrics_of(PLAIN, 2.0, outputs, np.array([[1.0], [2.0], [3.0]]))
    expected = {"loss": 2.0, "mse": 2.0, "rmse": sqrt(2), "mae": 4 / 3, "r2": 1 - 6 / 2}
    assert expected == pytest.approx(metrics)


def test_classification():
    """Three of four right: one of class 0 taken for class 1."""
    outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    metrics = metrics_of(Classification(2, 2, True), 0.5, outputs, np.array([0, 0, 1, 1]))
    assert 0.75 == metrics["accuracy"]
    assert [[1, 1], [0, 2]] == metrics["confusion"]
    assert [1.0, 2 / 3] == pytest.approx(metrics["precision"])
    assert [0.5, 1.0] == metrics["recall"]
    assert [2 / 3, 0.8] == pytest.approx(metrics["f1"])
    assert -(log(0.9) + log(0.4) + log(0.8) + log(0.7)) / 4 == pytest.approx(metrics["log_loss"])


def test_outputs_without_probabilities_have_no_log_loss():
    """Ten sigmoids are no distribution; the report has null there."""
    metrics = metrics_of(Classification(2, 2, False), 0.1, np.eye(2), np.array([0, 1]))
    assert metrics["log_loss"] is None
    assert 1.0 == metrics["accuracy"]


def test_what_is_not_finite_is_null():
    """Strict JSON has no infinity, so a split with an infinite error has no numbers."""
    metrics = metrics_of(PLAIN, np.inf, np.array([[np.inf], [0.0]]), np.zeros((2, 1)))
    assert dict.fromkeys(("loss", "mse", "rmse", "mae", "r2")) == metrics


def test_regression_baseline_is_the_training_mean():
    """The mean of 1 and 3 is 2, which misses 5 by 3."""
    train = Examples(np.zeros((2, 1)), np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    test = Examples(np.zeros((1, 1)), np.array([[5.0]]), np.array([[5.0]]))
    baseline = baseline_of(PLAIN, "mean_squared", train, test)
    assert (9.0, 3.0, None) == (baseline["mse"], baseline["mae"], baseline["r2"])


def test_classification_baseline_is_the_majority():
    """Two thirds of the training rows are of class 1, so that is what it says."""
    y = np.array([1, 1, 0])
    train = Examples(np.zeros((3, 1)), np.eye(2)[y], y)
    test = Examples(np.zeros((2, 1)), np.eye(2)[[0, 1]], np.array([0, 1]))
    baseline = baseline_of(Classification(2, 2, True), "cross_entropy", train, test)
    assert 0.5 == baseline["accuracy"]
    assert -(log(1 / 3) + log(2 / 3)) / 2 == pytest.approx(baseline["loss"])
    assert baseline["loss"] == pytest.approx(baseline["log_loss"])


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_classification_is_as_scikit_learn_has_it(classes):
    """On random outputs, some of them sure and wrong, and a class that is never predicted."""
    from sklearn import metrics as sk

    rng = np.random.default_rng(classes)
    y = rng.integers(classes, size=200)
    outputs = rng.dirichlet(np.full(classes, 0.05), size=200)
    outputs[:, -1] = 0
    outputs /= outputs.sum(axis=1, keepdims=True)
    outputs[0], y[0] = np.eye(classes)[0], 1
    ours = metrics_of(Classification(classes, classes, True), 0.0, outputs, y)
    labels, predicted = np.arange(classes), outputs.argmax(axis=1)
    theirs = sk.precision_recall_fscore_support(y, predicted, labels=labels, zero_division=0.0)
    for name, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        assert values.tolist() == pytest.approx(ours[name], rel=1e-14)
    assert sk.accuracy_score(y, predicted) == ours["accuracy"]
    assert sk.confusion_matrix(y, predicted, labels=labels).tolist() == ours["confusion"]
    expected = sk.log_loss(y, outputs, labels=labels)
    assert expected == pytest.approx(ours["log_loss"], rel=1e-12)


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression_is_as_scikit_learn_has_it(outputs):
    """On random numbers, and with an output that is constant."""
    from sklearn import metrics as sk

    rng = np.random.default_rng(outputs)
    for constant in (False, True):
        y = rng.normal(5, 2, size=(50, outputs))
        y[:, 0] = 1.0 if constant else y[:, 0]
        predicted = y + rng.normal(0, 1, size=y.shape)
        ours = metrics_of(PLAIN, 0.0, predicted, y)
        assert sk.mean_squared_error(y, predicted) == pytest.approx(ours["mse"], rel=1e-12)
        assert sk.mean_absolute_error(y, predicted) == pytest.approx(ours["mae"], rel=1e-12)
        assert sk.r2_score(y, predicted) == pytest.approx(ours["r2"], rel=1e-12)
        assert 1.0 == metrics_of(PLAIN, 0.0, y, y)["r2"]
