"""The numbers of a report, in the target's own units.

They are defined as scikit-learn's functions of the same names are, and tests hold them against
those. Called here, those would take longer than most of the small runs that they judge: 9 ms a run,
and half a second for each process to import them.
"""

from __future__ import annotations

from math import isfinite, sqrt
from typing import Any

import numpy as np

from nnrun.models.task import Classification, Regression, Task
from nnrun.nn.losses import LOSSES
from nnrun.nn.signature import Array
from nnrun.training.evaluation import Examples

Metrics = dict[str, Any]

_LARGEST = 1e150


def finite(value: float) -> float | None:
    """The number, or None where strict JSON has no word for it."""
    number = float(value)
    return number if isfinite(number) else None


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

    Where an output is constant: 1 if it is always predicted, else 0.
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
    n = task.classes
    # confusion[i, j]: rows of class i that were taken for class j
    confusion = np.bincount(y * n + task.decode(outputs), minlength=n * n).reshape(n, n)
    right, support, taken = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        "accuracy": finite(right.sum() / len(y)),
        "log_loss": _log_loss(task, outputs, y),
        "confusion": confusion.tolist(),
        "precision": _shares(right, taken),
        "recall": _shares(right, support),
        "f1": _shares(2 * right, support + taken),
        "support": support.tolist(),
    }


def _shares(parts: Array, wholes: Array) -> list[float]:
    """Their ratios, 0 where there is no whole."""
    shares: list[float] = np.where(wholes > 0, parts / np.maximum(wholes, 1), 0.0).tolist()
    return shares


def _log_loss(task: Classification, outputs: Array, y: Array) -> float | None:
    """The mean of -log p of the right class; None where outputs are no probabilities.

    Probabilities are kept the machine's ε away from 0 and 1, so that one sure error is no infinity.
    """
    probabilities = task.probabilities(outputs)
    if probabilities is None or not np.isfinite(probabilities).all():
        return None
    probabilities = probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    epsilon = np.finfo(np.float64).eps
    right = probabilities[np.arange(len(y)), y].clip(epsilon, 1 - epsilon)
    return finite(-np.log(right).mean())
