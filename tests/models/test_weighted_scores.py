"""Metrics of rows with weights are scikit-learn's with `sample_weight`."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from nnrun.models.scores import score_of
from nnrun.models.task import Classification, Regression

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
