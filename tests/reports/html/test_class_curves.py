"""Curves of classes, beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from nnrun.reports.html.predictions import ClassCurves


@pytest.fixture(params=["distinct", "ties", "equal"])
def rows(request):
    """Whether rows are of a class, and its probability."""
    rng = np.random.default_rng(3)
    probability = rng.random(60)
    is_class = rng.random(60) < probability
    digits = {"distinct": 17, "ties": 1, "equal": 0}[request.param]
    return is_class, np.round(probability / (2 if digits == 0 else 1), digits)


def test_curves_are_those_of_scikit_learn(rows):
    """A point for each threshold, equal probabilities together."""
    found = ClassCurves.of(*rows)
    false_alarms, recall, _ = roc_curve(*rows, drop_intermediate=False)
    assert np.allclose([false_alarms, recall], [found.false_alarms, found.recall], atol=1e-15)
    precision, recall, _ = precision_recall_curve(*rows)
    expected = [precision[::-1], recall[::-1]]
    assert np.allclose(expected, [found.precision, found.recall], atol=1e-15)
    assert roc_auc_score(*rows) == pytest.approx(found.area, abs=1e-15)


def test_drawn_lines_go_through_the_corners(rows):
    """On the grid, all are reached at the right end; gains and recall do not fall."""
    recall, precision, gains = ClassCurves.of(*rows).on_grid()
    assert [1.0, 1.0] == [recall[-1], gains[-1]]
    assert precision[-1] >= np.mean(rows[0]) - 1e-15
    assert (np.diff(recall) >= 0).all()
    assert (np.diff(gains) >= 0).all()


def test_a_sure_class_has_a_square_curve():
    """All of its rows come before all others."""
    found = ClassCurves.of(np.array([1, 0, 1, 0]) == 1, np.array([0.9, 0.2, 0.8, 0.1]))
    recall, precision, _ = found.on_grid()
    assert ({1.0}, {1.0}) == (set(recall), set(precision))
