"""The metrics that a config can name, and their values by functions of scikit-learn."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from math import inf, isfinite, isinf, nan
from typing import Any, Literal, NamedTuple

import numpy as np

from nnrun.nn.signature import Array
from nnrun.tables import Table

# The table of metrics by name: what each is for, and the function of scikit-learn behind it.
#
# It imports nothing large, since lists of runs and the config language read it.

Task = Literal["classification", "regression"]
Needs = Literal["labels", "probabilities", "values"]
UNEQUAL = 0.5
"""Classes are unequal if the smallest has less than this part of an equal share of the rows."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: as configs and reports call it.
        function: its name in `sklearn.metrics`, or in `scipy.stats`.
        needs: what it compares with the truth: predicted `labels`, `probabilities` of classes, or
            predicted `values`.
        about: what it is, in a sentence.
        label: as tables show it; by default the name in words.
        larger_is_better: its direction.
        low: the least value it can have.
        high: the largest.
        options: arguments of the function.
        by_class: whether the function takes the list of all classes.
        share: whether it is a share of the rows, so that it changes in steps of 1/rows.
        one_output: whether it is for a single number to predict.
        always: whether every report of the task has it.
        unweighted: whether it counts every row once, as the function takes no weights of rows.
        degree: the power of the factor by which it grows where true and predicted values are
            multiplied by one; None where it does not grow by a power.
        call: a function of true and predicted values, in place of that of scikit-learn.
    """

    name: str
    function: str
    needs: Needs
    about: str
    label: str = ""
    larger_is_better: bool = True
    low: float = 0.0
    high: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    by_class: bool = False
    share: bool = False
    one_output: bool = False
    always: bool = False
    unweighted: bool = False
    degree: int | None = None
    call: Callable[[Any, Any], float] | None = None

    @property
    def task(self) -> Task:
        """The task that it is for."""
        return "regression" if self.needs == "values" else "classification"

    @property
    def of_second(self) -> bool:
        """Whether, of two classes, it is about the second one alone."""
        return self.function == "average_precision_score" or "binary" in self.options.values()

    @property
    def title(self) -> str:
        """Its name in tables."""
        return self.label or self.name.replace("_", " ")


def _cost(name: str, function: str, needs: Needs, about: str, **fields: Any) -> Metric:
    """A metric that is better where it is smaller, without an upper end."""
    return Metric(name, function, needs, about, **{"larger_is_better": False, "high": inf} | fields)


_AVERAGES = {
    "macro": "the mean over classes",
    "weighted": "the mean over classes, weighted by their rows",
    "micro": "over all rows together",
    "binary": "of the second of two classes",
}
_OF_ONE_CLASS = {
    "f1": "the harmonic mean of precision and recall",
    "precision": "the share of the rows predicted as a class that belong to it",
    "recall": "the share of a class's rows that are predicted as it",
}
_TOP_K = Metric(
    "top_2_accuracy",
    "top_k_accuracy_score",
    "probabilities",
    "The share of rows whose class is among the k most probable ones; k stands in the name.",
    by_class=True,
    share=True,
    label="top-2 accuracy",
)
_PINBALL = _cost(
    "pinball_90",
    "mean_pinball_loss",
    "values",
    "The loss that the quantile q makes least, in units of the target; q, in percent, is in the "
    "name.",
    label="pinball loss 90%",
    degree=1,
)
_SINGLE = (
    Metric("accuracy", "accuracy_score", "labels", "The share of rows predicted as their class.",
           share=True, always=True),
    Metric("balanced_accuracy", "balanced_accuracy_score", "labels",
           "The mean of the classes' recalls: each class counts the same, however rare."),
    Metric("roc_auc", "roc_auc_score", "probabilities",
           "The area under the ROC curve: how often a row of a class has a larger probability of "
           "it than a row of another; of several classes, the mean of each against the rest.",
           label="ROC AUC", options={"multi_class": "ovr"}, by_class=True),
    Metric("roc_auc_ovo", "roc_auc_score", "probabilities",
           "The area under the ROC curve, the mean over all pairs of classes.",
           label="ROC AUC, pairs", options={"multi_class": "ovo"}, by_class=True,
           unweighted=True),
    Metric("average_precision", "average_precision_score", "probabilities",
           "The area under the precision-recall curve, as a sum of steps: of the second of two "
           "classes, or the mean over more of them."),
    *(
        Metric(f"{one}_{average}", f"{one}_score", "labels", f"{what.capitalize()}, {how}.",
               label=f"{'F1' if one == 'f1' else one} {average}", options={"average": average})
        for one, what in _OF_ONE_CLASS.items()
        for average, how in _AVERAGES.items()
    ),
    Metric("mcc", "matthews_corrcoef", "labels",
           "Matthews' correlation coefficient of true and predicted classes.",
           label="MCC", low=-1.0),
    Metric("cohen_kappa", "cohen_kappa_score", "labels",
           "The agreement of true and predicted classes beyond chance.",
           label="Cohen's κ", low=-1.0),
    _cost("log_loss", "log_loss", "probabilities", "The mean of -log p of the true classes.",
          by_class=True, always=True),
    _cost("brier", "brier_score_loss", "probabilities",
          "The mean squared error of the probabilities; of two classes, half of the sum over both.",
          label="Brier score", high=2.0, by_class=True),
    _cost("mse", "mean_squared_error", "values", "The mean squared error.", always=True,
          degree=2),
    _cost("rmse", "root_mean_squared_error", "values", "The root of the mean squared error.",
          always=True, degree=1),
    _cost("mae", "mean_absolute_error", "values", "The mean absolute error.", always=True,
          degree=1),
    Metric("r2", "r2_score", "values",
           "The share of the target's variance that the predictions explain.",
           label="R²", low=-inf, always=True, degree=0),
    _cost("median_ae", "median_absolute_error", "values", "The median absolute error.",
          label="median absolute error", degree=1),
    _cost("mape", "mean_absolute_percentage_error", "values",
          "The mean absolute error relative to the true value, as a share: 0.1 is 10%.",
          label="MAPE"),
    _cost("max_error", "max_error", "values", "The largest absolute error.", one_output=True,
          unweighted=True, degree=1),
    Metric("explained_variance", "explained_variance_score", "values",
           "As R², but a constant error costs nothing.", low=-inf, degree=0),
    Metric("spearman", "spearmanr", "values",
           "Spearman's rank correlation of true and predicted values.",
           label="Spearman's ρ", low=-1.0, one_output=True, unweighted=True),
)  # fmt: skip

METRICS: Table[Metric] = Table(
    "metric", {metric.name: metric for metric in (*_SINGLE, _TOP_K, _PINBALL)}
)
"""All metrics; of those with a number in their name, one each."""

_TOP_PATTERN = "top_([1-9][0-9]{0,4})_accuracy"
_PINBALL_PATTERN = r"pinball_([1-9][0-9]?(?:\.[0-9]{1,6})?)"


def pattern() -> str:
    """Matches every name of a metric."""
    numbered = (_TOP_K.name, _PINBALL.name)
    single = (name for name in METRICS if name not in numbered)
    return "|".join([*single, _TOP_PATTERN, _PINBALL_PATTERN])


LOSS = "loss"
"""What training minimizes: it has no entry, but is reported, published and monitored too."""


def find(name: str) -> Metric | None:
    """The metric of this name; None if there is none."""
    return _numbered(name) or METRICS.get(name)


@cache
def _numbered(name: str) -> Metric | None:
    """The metric with this number in its name."""
    if top := re.fullmatch(_TOP_PATTERN, name):
        k = int(top[1])
        return replace(_TOP_K, name=name, label=f"top-{k} accuracy", options={"k": k})
    if pinball := re.fullmatch(_PINBALL_PATTERN, name):
        options = {"alpha": float(pinball[1]) / 100}
        return replace(_PINBALL, name=name, label=f"pinball loss {pinball[1]}%", options=options)
    return None


def names_of(task: str) -> list[str]:
    """The names of a task's metrics, those that every report has first."""
    found = [metric for metric in METRICS.values() if metric.task == task]
    return [metric.name for metric in sorted(found, key=lambda metric: not metric.always)]


def larger_is_better(name: str) -> bool:
    """The direction of a metric, or of the loss."""
    metric = find(name)
    return metric is not None and metric.larger_is_better


def bounds_of(name: str) -> tuple[float, float]:
    """The least and the largest value that a metric can have."""
    metric = find(name)
    return (0.0, inf) if metric is None else (metric.low, metric.high)


def span_of(name: str) -> float:
    """The largest difference of two values of a metric; infinite where they have no bounds."""
    low, high = bounds_of(name)
    return high - low


def is_share(name: str) -> bool:
    """Whether a metric changes in steps of 1/rows."""
    metric = find(name)
    return metric is not None and metric.share


def are_unequal(counts: Sequence[int]) -> bool:
    """Whether classes with this many rows are unequal."""
    return bool(counts) and min(counts) * len(counts) < UNEQUAL * sum(counts)


# The values of metrics, by the functions of scikit-learn, which are imported when first needed.
#
# That takes 1.5 seconds of processor time, three times what a small run takes as a whole. So the
# metrics that unequal classes get by default are lines of NumPy; tests compare these to 1e-12.


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
