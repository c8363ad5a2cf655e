"""Calibrated probabilities: fits beside other libraries', the choice among them, their scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from nnrun.models.calibration import FITS, Calibration, Judged, calibrated

TABLES = range(12)


def table(seed: int, classes: int = 2) -> Judged:
    """Rows of a network that is too sure, whose classes are drawn by less sure probabilities."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(60, 600))
    logits = 3 * rng.standard_normal((rows, classes))
    truth = (rng.random((rows, 1)) > softmax(0.4 * logits + 0.1, axis=1).cumsum(axis=1)).sum(axis=1)
    weight = rng.integers(1, 4, rows).astype(float) if seed % 2 else np.ones(rows)
    return Judged(softmax(logits, axis=1), np.minimum(truth, classes - 1), weight)


@pytest.mark.parametrize("seed", TABLES)
def test_a_temperature_has_the_least_log_loss(seed):
    """It is that of a minimizer of SciPy, for two to five classes and rows with weights."""
    judged = table(seed, classes=2 + seed % 4)
    logits, rows = np.log(judged.probabilities), np.arange(len(judged.truth))

    def cost(log_temperature):
        found = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -(judged.weight * found[rows, judged.truth]).sum()

    best = minimize_scalar(cost, bounds=(-3, 5), method="bounded", options={"xatol": 1e-10})
    found = FITS["temperature"](judged)
    assert found.numbers == pytest.approx([np.exp(best.x)], rel=1e-5)
    expected = softmax(logits / found.numbers[0], axis=1)
    np.testing.assert_allclose(found.apply(judged.probabilities), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", TABLES)
def test_a_line_is_the_logistic_regression_of_log_odds(seed):
    """Slope, shift and probabilities are those of scikit-learn without a penalty."""
    judged = table(seed)
    odds = np.log(judged.probabilities[:, 1:] / judged.probabilities[:, :1])
    model = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000)
    model.fit(odds, judged.truth, judged.weight)
    found = FITS["platt"](judged)
    assert found.numbers == pytest.approx([model.coef_[0, 0], model.intercept_[0]], rel=1e-5)
    expected = model.predict_proba(odds)
    np.testing.assert_allclose(found.apply(judged.probabilities), expected, rtol=1e-5)


@pytest.mark.parametrize("seed", TABLES)
def test_a_monotone_function_is_the_isotonic_regression(seed):
    """It has the values of scikit-learn's, between and beyond the rows too, also where rows tie."""
    judged = table(seed)
    judged = judged._replace(probabilities=judged.probabilities.round(1 + seed % 3))
    least = 1 / (len(judged.truth) + 2)
    model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    model.fit(judged.probabilities[:, 1], judged.truth, judged.weight)
    second = np.linspace(0, 1, 997)
    found = FITS["isotonic"](judged).apply(np.stack([1 - second, second], axis=1))
    np.testing.assert_allclose(found[:, 1], model.predict(second), rtol=1e-12)


@pytest.mark.parametrize("seed", TABLES)
def test_scores_are_those_of_scikit_learn_and_of_counting(seed):
    """Log loss, Brier score, and the calibration error bin by bin."""
    judged = table(seed, classes=2 + seed % 3)
    p, y, w = judged
    sure, error, found = p.max(axis=1), 0.0, judged.scores()
    for start in np.arange(15) / 15:
        inside = (sure >= start) & (sure < start + 1 / 15)
        error += abs((w * (sure - (p.argmax(axis=1) == y)))[inside].sum()) / w.sum()
    given, options = p[:, 1] if p.shape[1] == 2 else p, {"sample_weight": w}
    options["labels"] = range(p.shape[1])
    assert found["log_loss"] == pytest.approx(log_loss(y, p, **options))
    assert found["brier"] == pytest.approx(brier_score_loss(y, given, **options))
    assert found["calibration_error"] == pytest.approx(error)


def certain(rows: int, wrong: int = 0) -> Judged:
    """Rows of two classes that are all right but for the first few."""
    truth = np.arange(rows) % 2
    second = np.where(truth == 1, 0.7, 0.2) + np.arange(rows) / (10 * rows)
    second[:wrong] = 0.9 - second[:wrong]
    return Judged(np.stack([1 - second, second], axis=1), truth, np.ones(rows))


def test_lines_without_an_end_are_not_fitted():
    """Of rows that are all right a steeper line is always better, of reversed ones none is.

    Those that are leave no probability of 0 or 1, in the dtype of the network.
    """
    right, reversed_rows = certain(40), certain(40, wrong=40)
    for judged in (right, reversed_rows):
        assert [None, None] == [FITS[name](judged) for name in ("temperature", "platt")]
    assert FITS["temperature"](certain(40, wrong=4)) is not None
    for name, numbers in (("temperature", (2.0,)), ("platt", (0.5, 0.1))):
        calm = Calibration(name, numbers).apply(np.eye(2, dtype=np.float32))
        assert calm.dtype == np.float32
        assert ((calm > 0) & (calm < 1)).all()


def test_none_is_taken_unless_another_is_clearly_better():
    """Where classes are drawn by the probabilities themselves, others are better by chance."""
    rng, best = np.random.default_rng(5), set()
    for _ in range(10):
        p = rng.uniform(0.05, 0.95, 100)
        judged = Judged(np.stack([1 - p, p], 1), 1 * (rng.random(100) < p), np.ones(100))
        found, losses = calibrated(judged, "validation")
        assert ["none", *FITS] == [*losses]
        best |= {min(losses, key=losses.get)} if found.method == "none" else set()
    assert len(best) > 1
    sure, losses = calibrated(table(0), "validation")
    assert min(losses, key=losses.get) == sure.method != "none"
    assert ["none", "temperature"] == [*calibrated(table(0, classes=3), "validation")[1]]


def test_one_class_and_rows_that_do_not_count_say_what_to_set():
    """No map is fitted, and the reason names the key; rows with a weight of 0 are none."""
    one = certain(50)._replace(truth=np.zeros(50, int))
    few = certain(50)._replace(weight=np.arange(50) < 19.0)
    for judged, method in ((one, "one_class"), (few, "too_few")):
        found, losses = calibrated(judged, "validation")
        assert (method, {}) == (found.method, losses)
        assert "set dataset.calibration_size" in found.unfit
