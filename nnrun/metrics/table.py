"""The table of metrics by name: what each is for, and the function of scikit-learn behind it.

It imports nothing large, since lists of runs and the config language read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf
from typing import Any, Literal

from nnrun.tables import Table

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
