"""The numbers of a report, in the target's own units.

Those of classification come from scikit-learn; those of regression are defined as its functions of
the same names are, and a test holds them against those.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite, sqrt
from typing import Any

import numpy as np

from nnrun.nn.losses import LOSSES
from nnrun.nn.signature import Array
from nnrun.training.evaluation import Examples
from nnrun.training.task import Classification, Regression, Task

Metrics = dict[str, Any]

_LARGEST = 1e150


def finite(value: float) -> float | None:
    """The number, or None where strict JSON has no word for it."""
    number = float(value)
    return number if isfinite(number) else None


@contextmanager
def scikit_learn() -> Iterator[Any]:
    """`sklearn.metrics`, told that what it gets has been checked."""
    import sklearn.metrics  # noqa: PLC0415  # takes most of a second to import

    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        yield sklearn.metrics


def metrics_of(task: Task, loss: float, outputs: Array, y: Array) -> Metrics:
    """Loss and metrics of one split, from the network's outputs."""
    numbers: Metrics = {"loss": finite(loss)}
    if isinstance(task, Regression):
        numbers.update(_regression(y, task.decode(outputs)))
    else:
        numbers.update(_classification(task, outputs, y))
    return numbers


def baseline_of(task: Task, loss_type: str, train: Examples, part: Examples) -> Metrics:
    """The same numbers for a model that ignores x: the training split's mean, or its class shares.

    The most frequent class is its answer; the shares are its probabilities.
    """
    outputs = np.tile(train.target.mean(axis=0), (len(part), 1)).astype(np.float64)
    loss = LOSSES[loss_type]().value(outputs, part.target.astype(np.float64))
    if isinstance(task, Classification) and not task.probabilistic:
        task = Classification(task.classes, task.outputs, probabilistic=True)
    return metrics_of(task, loss, outputs, part.y)


def _regression(y: Array, predicted: Array) -> Metrics:
    """By hand: for three means, scikit-learn's import would take longer than a whole small run."""
    # Squares of larger numbers would not be finite.
    if not (np.abs(predicted) < _LARGEST).all():
        return dict.fromkeys(("mse", "rmse", "mae", "r2"))
    errors = predicted - y  # (rows, outputs)
    mse = float(np.mean(errors**2))
    return {
        "mse": finite(mse),
        "rmse": finite(sqrt(mse)),
        "mae": finite(np.mean(np.abs(errors))),
        "r2": _r2(errors, y),
    }


def _r2(errors: Array, y: Array) -> float | None:
    """1 - Σ error² / Σ (y - mean)², the mean over outputs; None for a single row.

    Where an output is constant: 1 if it is always predicted, else 0, as scikit-learn has it.
    """
    if len(y) < 2:
        return None
    left = np.sum(errors**2, axis=0)
    there = np.sum((y - y.mean(axis=0)) ** 2, axis=0)
    varies = there > 0
    explained = np.where(left == 0, 1.0, 0.0)
    explained[varies] = 1 - left[varies] / there[varies]
    return finite(explained.mean())


def _classification(task: Classification, outputs: Array, y: Array) -> Metrics:
    predicted = task.decode(outputs)
    labels = np.arange(task.classes)
    with scikit_learn() as sk:
        precision, recall, f1, support = sk.precision_recall_fscore_support(
            y, predicted, labels=labels, zero_division=0.0
        )
        accuracy = sk.accuracy_score(y, predicted)
        confusion = sk.confusion_matrix(y, predicted, labels=labels)
    return {
        "accuracy": finite(accuracy),
        "log_loss": _log_loss(task, outputs, y),
        "confusion": confusion.tolist(),
        "precision": [float(value) for value in precision],
        "recall": [float(value) for value in recall],
        "f1": [float(value) for value in f1],
        "support": [int(value) for value in support],
    }


def _log_loss(task: Classification, outputs: Array, y: Array) -> float | None:
    """The mean of -log p of the right class; None where outputs are no probabilities."""
    probabilities = task.probabilities(outputs)
    if probabilities is None or not np.isfinite(probabilities).all():
        return None
    probabilities = probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    with scikit_learn() as sk:
        return finite(sk.log_loss(y, probabilities, labels=np.arange(task.classes)))
