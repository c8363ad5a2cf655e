"""The values of metrics, by the functions of scikit-learn, which are imported when first needed.

That takes 1.5 seconds of processor time, three times what a small run takes as a whole. So the
metrics that unequal classes get by default are lines of NumPy; tests compare these to 1e-12.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from math import inf, isfinite, isinf, nan
from typing import Any, NamedTuple

import numpy as np

from nnrun.metrics.table import Metric, find
from nnrun.nn.signature import Array


class Value(NamedTuple):
    """The value of a metric; None where it is undefined, for the reason given."""

    number: float | None
    reason: str = ""


NOT_FINITE = "a prediction is not finite"
NO_ROWS = "there are no rows"
NO_WEIGHT = "no row has a weight above 0"
ONE_ROW = "there is a single row"
BEYOND = "it is beyond the range of float64, with predictions or targets as large as {:.0e}"


@dataclass(frozen=True)
class Truth:
    """True and predicted values of some rows.

    Args:
        y: class numbers (rows,), or values (rows, outputs).
        predicted: the same of the predictions.
        probabilities: (rows, classes), if the predictions have them.
        classes: the number of classes; 0 for values.
        weight: of each row, if rows have weights.
    """

    y: Array
    predicted: Array
    probabilities: Array | None = None
    classes: int = 0
    weight: Array | None = None


def value_of(name: str, rows: Truth) -> Value:
    """The value of a metric, equal to that of scikit-learn's function.

    Where sums overflow in that function, it is that of scaled numbers. It is undefined where that
    function refuses the rows, or returns no finite number, or where no function has the name.
    """
    metric = find(name)
    if metric is None:
        return Value(None, "it is of a plugin that is not loaded")
    if metric.unweighted:
        rows = replace(rows, weight=None)
    if not len(rows.y) or (rows.weight is not None and not rows.weight.any()):
        return Value(None, NO_WEIGHT if len(rows.y) else NO_ROWS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            number = _computed(metric, rows)
            if isinf(number) and metric.call is None:
                number = _scaled(metric, rows)
    except (IndexError, ValueError) as error:  # without some class, by scikit-learn's version
        return Value(None, _reason(rows) or str(error).splitlines()[0])
    if isfinite(number):
        return Value(number)
    if isinf(number) and metric.call is None:
        return Value(None, BEYOND.format(max(map(_largest, (rows.y, rows.predicted)))))
    return Value(None, _reason(rows) or "it is not finite")


def values_of(names: Iterable[str], rows: Truth) -> dict[str, Any]:
    """Metrics by name, None where they are undefined; then the reasons, by name, under `undefined`.

    Without undefined metrics there is no such key.
    """
    found = {name: value_of(name, rows) for name in names}
    reasons = {name: value.reason for name, value in found.items() if value.number is None}
    numbers: dict[str, Any] = {name: value.number for name, value in found.items()}
    return numbers | ({"undefined": reasons} if reasons else {})


def _computed(metric: Metric, rows: Truth) -> float:
    if metric.call is not None:
        try:
            return float(metric.call(rows.y, _given(metric, rows)))
        except Exception as error:  # of a plugin
            raise ValueError(f"{type(error).__name__}: {error}") from error
    if metric.name == "balanced_accuracy":
        return balanced_accuracy(rows.y, rows.predicted, rows.weight)
    if metric.name == "roc_auc":
        assert rows.probabilities is not None
        return roc_auc(rows.y, rows.probabilities, rows.weight)
    if metric.function == "spearmanr":
        function = import_module("scipy.stats").spearmanr
        return float(function(rows.y[:, 0], rows.predicted[:, 0]).statistic)
    function = getattr(import_module("sklearn.metrics"), metric.function)
    options = dict(metric.options)
    if metric.by_class:
        options["labels"] = np.arange(rows.classes)
    if rows.weight is not None:
        options["sample_weight"] = rows.weight
    try:
        with np.errstate(over="raise"):
            return float(function(rows.y, _given(metric, rows), **options))
    except FloatingPointError:  # where an intermediate sum overflows, the result may be finite
        return inf


# Squares of scaled targets are at least as large as this squared.
_SPREAD = 1e-145


def _scaled(metric: Metric, rows: Truth) -> float:
    """The metric of numbers divided by a power of two, brought back; inf if it is too large."""
    sizes = np.maximum(*(np.abs(part).max(axis=0) for part in (rows.y, rows.predicted)))
    if metric.degree is None or not np.isfinite(sizes).all():
        return inf
    # Values without a unit are means over outputs, each with a scale of its own.
    shift = np.frexp(sizes if metric.degree == 0 else sizes.max())[1] + 1
    y, predicted = np.ldexp(rows.y, -shift), np.ldexp(rows.predicted, -shift)
    varies = (rows.y != rows.y[0]).any(axis=0)
    if metric.degree == 0 and (np.ptp(y, axis=0)[varies] < _SPREAD).any():
        return inf
    number = _computed(metric, replace(rows, y=y, predicted=predicted))
    return float(np.ldexp(number, metric.degree * int(np.max(shift))))


def _largest(values: Array) -> float:
    return float(np.abs(values).max())


def _given(metric: Metric, rows: Truth) -> Array:
    """What the function compares with the truth; of two classes, the probability of the second."""
    if metric.needs != "probabilities":
        return rows.predicted
    assert rows.probabilities is not None, metric.name
    given: Array = rows.probabilities[:, 1] if rows.classes == 2 else rows.probabilities
    return given


def _reason(rows: Truth) -> str:
    """Why a metric of these rows may be undefined; empty where nothing is unusual."""
    compared = rows.predicted if rows.probabilities is None else rows.probabilities
    if not np.isfinite(compared).all():
        return NOT_FINITE
    counted = np.full(len(rows.y), True) if rows.weight is None else rows.weight > 0
    some = "" if counted.all() else " with a weight above 0"
    y = rows.y[counted]
    if rows.classes:
        there = len(np.unique(y))
        if there == 1:
            return f"all rows{some} are of one class"
        return f"there are rows{some} of {there} of {rows.classes} classes" * (there < rows.classes)
    if len(y) == 1:
        return ONE_ROW + some
    for what, values in (("target", y), ("prediction", rows.predicted[counted])):
        if (values == values[0]).all():
            return f"every {what}{some} is the same"
    return ""


def balanced_accuracy(y: Array, predicted: Array, weight: Array | None = None) -> float:
    """The mean recall of the classes that have rows."""
    rows = np.bincount(y, weight)
    is_right = y == predicted
    counted = None if weight is None else weight[is_right]
    right = np.bincount(y[is_right], counted, minlength=len(rows))
    there = rows > 0
    return float((right[there] / rows[there]).mean())


def roc_auc(y: Array, probabilities: Array, weight: Array | None = None) -> float:
    """The area under the ROC curve of the second of two classes, or the mean over more classes.

    NaN where all rows are of one class, or where a class of several has no rows.
    """
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [area_under_roc(y == k, probabilities[:, k], weight) for k in classes]
    return float(np.mean(areas))


def area_under_roc(is_class: Array, score: Array, weight: Array | None = None) -> float:
    """The share of pairs of a row of the class and another one in which the score of the first is
    larger; equal scores count half. NaN without such pairs.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    sizes = np.ones(len(order)) if weight is None else weight[order].astype(np.float64)
    found, others = (
        np.append(0.0, np.cumsum(np.where(chosen, sizes, 0.0))[last])
        for chosen in (is_class[order], ~is_class[order])
    )
    if found[-1] == 0 or others[-1] == 0:
        return nan
    area = np.sum(np.diff(others) * (found[1:] + found[:-1]) / 2)
    return float(area / (found[-1] * others[-1]))
