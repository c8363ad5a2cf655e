"""The numbers of a report against numbers worked out by hand."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from nnrun.models.task import Classification, Regression
from nnrun.nn import CrossEntropy, Huber, MeanSquared
from nnrun.runs.execution.execute import Execution
from nnrun.runs.metrics import baselines_of, metrics_of
from nnrun.training.state import PreparedSplit

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
    assert {"log_loss": "the network's outputs are not probabilities"} == metrics["undefined"]
    assert 1.0 == metrics["accuracy"]


def test_what_is_not_finite_is_null():
    """Strict JSON has no infinity, so a split with an infinite error has reasons for numbers."""
    metrics = metrics_of(PLAIN, np.inf, np.array([[np.inf], [0.0]]), np.zeros((2, 1)))
    names = ("mse", "rmse", "mae", "r2")
    reasons = dict.fromkeys(names, "a prediction is not finite")
    assert {"loss": "it is beyond the range of numbers"} | reasons == metrics.pop("undefined")
    assert dict.fromkeys(("loss", *names)) == metrics


def test_regression_baseline_is_the_training_mean():
    """The mean of 1 and 3 is 2, which misses 5 by 3."""
    train = PreparedSplit(np.zeros((2, 1)), np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    test = PreparedSplit(np.zeros((1, 1)), np.array([[5.0]]), np.array([[5.0]]))
    baseline = baselines_of(PLAIN, MeanSquared(), {"train": train, "test": test})["test"]
    assert (9.0, 3.0, None) == (baseline["mse"], baseline["mae"], baseline["r2"])


@pytest.mark.parametrize(("delta", "loss"), [(0.5, 0.5 * (3 - 0.25)), (1, 2.5), (10, 4.5)])
def test_the_baselines_loss_is_the_runs_own(delta, loss):
    """An error of 3 costs δ (3 - δ / 2) where it is large, 3² / 2 where it is small."""
    train = PreparedSplit(np.zeros((2, 1)), np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    test = PreparedSplit(np.zeros((1, 1)), np.array([[5.0]]), np.array([[5.0]]))
    assert loss == baselines_of(PLAIN, Huber(delta), {"train": train, "test": test})["test"]["loss"]


@pytest.mark.parametrize("delta", [0.01, 10.0])
def test_a_runs_baseline_has_the_arguments_of_its_loss(prepared, delta):
    """Huber's δ is in the baseline that a report shows, and in what divergence is judged by."""
    text = (
        "dataset: {name: diabetes, target: standard}\n"
        "network: {sizes: [10, 1], activations: [tanh, linear]}\n"
        f"loss: {{type: huber, delta: {delta}}}\n"
        "training: {learning_rate: 0.01, iterations: 10}\n"
    )
    run = Execution(prepared(text))
    target = run.prepared.examples["train"].target
    expected = Huber(delta).value(np.full_like(target, target.mean()), target)
    assert expected == pytest.approx(run.prepared.baseline["train"]["loss"], rel=1e-12)
    assert run.prepared.baseline["train"]["loss"] == run.trainer.bounds.baseline


def test_the_mean_of_many_float32_targets():
    """It is the mean in float64: 0.1 after 0.1 in float32 would lose digits row by row."""
    target = np.full((1_000_000, 1), 0.1, np.float32)
    train = PreparedSplit(target, target, target.astype(np.float64))
    baseline = baselines_of(PLAIN, MeanSquared(), {"train": train})["train"]
    assert 0 == pytest.approx(baseline["mse"], abs=1e-20)


def test_classification_baseline_is_the_majority():
    """Two thirds of the training rows are of class 1, so that is what it says."""
    y = np.array([1, 1, 0])
    train = PreparedSplit(np.zeros((3, 1)), np.eye(2)[y], y)
    test = PreparedSplit(np.zeros((2, 1)), np.eye(2)[[0, 1]], np.array([0, 1]))
    task, examples = Classification(2, 2, True), {"train": train, "test": test}
    baseline = baselines_of(task, CrossEntropy(), examples)["test"]
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


@pytest.mark.parametrize("outputs", [1, 2])
def test_log_loss_in_float32_is_as_scikit_learn_has_it(outputs):
    """It is that of the probabilities as they are: 1e-30 is the ε of float32, not of float64."""
    from sklearn import metrics as sk

    task, y = Classification(2, outputs, True), np.array([0, 0, 1, 1])
    second = np.array([[0.2], [1 - 1e-7], [1e-30], [0.9]], np.float32)
    given = second if outputs == 1 else np.concatenate([1 - second, second], axis=1)
    expected = sk.log_loss(y, task.probabilities(given))
    assert expected == pytest.approx(metrics_of(task, 0.0, given, y)["log_loss"], rel=1e-6)


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
        rmse = sk.root_mean_squared_error(y, predicted)
        assert rmse == pytest.approx(ours["rmse"], rel=1e-12)
        assert sk.mean_absolute_error(y, predicted) == pytest.approx(ours["mae"], rel=1e-12)
        assert sk.r2_score(y, predicted) == pytest.approx(ours["r2"], rel=1e-12)
        assert 1.0 == metrics_of(PLAIN, 0.0, y, y)["r2"]
