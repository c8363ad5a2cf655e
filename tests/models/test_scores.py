"""Scores that are added up batch by batch, with weights of rows, and the logarithm in them."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from sklearn import metrics

from nnrun.models.scores import logarithm, score_of
from nnrun.models.task import Classification, Regression


def scored(task, outputs, y, batches: int):
    score = score_of(task)
    for part, targets in zip(
        np.array_split(outputs, batches), np.array_split(y, batches), strict=True
    ):
        score.add(part, targets)
    return score.metrics()


@pytest.mark.parametrize("outputs", [1, 3])
def test_batches_of_values_score_as_all_at_once(outputs):
    """Also where y is far from 0, and where batches are empty."""
    rng = np.random.default_rng(outputs)
    y = rng.normal(1e6, 3, (100, outputs))
    predicted = y + rng.normal(0, 1, y.shape)
    task = Regression(lambda y: y, lambda y: y)
    whole = scored(task, predicted, y, 1)
    for batches in (3, 100, 130):
        assert whole == pytest.approx(scored(task, predicted, y, batches), rel=1e-10)


def test_batches_of_classes_score_as_all_at_once():
    """Counts are the same, and the logarithmic loss is to rounding."""
    rng = np.random.default_rng(0)
    outputs, y = rng.dirichlet(np.ones(4), 100), rng.integers(4, size=100)
    whole = scored(Classification(4, 4, True), outputs, y, 1)
    parts = scored(Classification(4, 4, True), outputs, y, 7)
    assert whole.pop("log_loss") == pytest.approx(parts.pop("log_loss"), rel=1e-13)
    assert whole == parts


def test_a_prediction_that_is_not_finite_leaves_no_numbers():
    """In whatever batch it is; each has the reason."""
    predicted = np.ones((10, 1))
    predicted[4] = np.inf
    metrics = scored(Regression(lambda y: y, lambda y: y), predicted, np.ones((10, 1)), 5)
    names = ("mse", "rmse", "mae", "r2")
    reasons = dict.fromkeys(names, "a prediction is not finite")
    assert {**dict.fromkeys(names), "undefined": reasons} == metrics


# Metrics of rows with weights are scikit-learn's with `sample_weight`.

WEIGHTS = np.random.default_rng(1).integers(0, 4, 30).astype(float)
PLAIN = Regression(np.asarray, np.asarray)


def test_of_classes() -> None:
    """Added in two parts; confusion and support count rows."""
    rng, task = np.random.default_rng(0), Classification(3, 3, True)
    p, y, w = rng.dirichlet([1, 1, 1], 30), rng.integers(3, size=30), WEIGHTS
    predicted, score = p.argmax(axis=1), score_of(task)
    for part in (slice(0, 11), slice(11, 30)):
        score.add(p[part], y[part], w[part])
    found = score.metrics()
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        y, predicted, sample_weight=w
    )
    assert metrics.accuracy_score(y, predicted, sample_weight=w) == pytest.approx(
        found["accuracy"], rel=1e-12
    )
    assert metrics.log_loss(y, p, sample_weight=w) == pytest.approx(found["log_loss"], rel=1e-12)
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1)):
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)
    assert metrics.confusion_matrix(y, predicted).tolist() == found["confusion"]
    assert np.bincount(y).tolist() == found["support"]
    quick = task.quick_metrics(p, y, w)["accuracy"]
    assert found["accuracy"] == pytest.approx(float(quick), rel=1e-12)


def test_of_values() -> None:
    """Added in two parts, for two outputs."""
    rng, score = np.random.default_rng(0), score_of(PLAIN)
    outputs, y, w = rng.normal(size=(30, 2)), rng.normal(size=(30, 2)), WEIGHTS
    for part in (slice(0, 11), slice(11, 30)):
        score.add(outputs[part], y[part], w[part])
    found = score.metrics()
    expected = {
        "mse": metrics.mean_squared_error(y, outputs, sample_weight=w),
        "rmse": metrics.root_mean_squared_error(y, outputs, sample_weight=w),
        "mae": metrics.mean_absolute_error(y, outputs, sample_weight=w),
        "r2": metrics.r2_score(y, outputs, sample_weight=w),
    }
    assert expected == pytest.approx(found, rel=1e-12)
    quick = PLAIN.quick_metrics(outputs, y, w)["mse"]
    assert found["mse"] == pytest.approx(float(quick), rel=1e-12)


# The logarithm of metrics, against the library of the language.


@pytest.mark.parametrize(
    "x",
    [
        np.random.default_rng(1).random(20_000),
        1 - 2.0 ** -np.arange(1.0, 54.0),
        1 + 2.0 ** -np.arange(1.0, 53.0),
        2.0 ** np.arange(-1022.0, 1024.0),
        10.0 ** np.random.default_rng(2).uniform(-300, 300, 20_000),
    ],
    ids=["shares", "just below 1", "just above 1", "powers of 2", "all sizes"],
)
def test_it_is_right_to_the_last_place(x):
    """Within one unit in the last place of the correctly rounded logarithm, or one beside it."""
    expected = np.array([math.log(value) for value in x])
    assert np.all(np.abs(logarithm(x) - expected) <= np.spacing(np.abs(expected)))


def test_one_has_none():
    """Exactly 0, so that certain predictions cost nothing."""
    assert [0.0] == logarithm(np.array([1.0])).tolist()


def test_its_bits_are_these():
    """Those of this digest on every processor; `np.log` has others with other vectors."""
    x = np.random.default_rng(3).random(1000)
    digest = "3a739d85f2fa83698742f6ffa86c107e209b27efcf338dcab55fe9f509fafa76"
    assert digest == hashlib.sha256(logarithm(x).tobytes()).hexdigest()
