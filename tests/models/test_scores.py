"""Scores that are added up batch by batch."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.models.scores import score_of
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
