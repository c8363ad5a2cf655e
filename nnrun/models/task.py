"""The meaning of the network's outputs: classes and the decision between two, or numbers in units
of the target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnrun.data.layout import Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.models.calibration import Calibration
from nnrun.nn.network import Network
from nnrun.nn.signature import Array

# The threshold at which the positive one of two classes is predicted, fitted on given rows.

DEFAULT = 0.5
# Values that differ by less are equal: sums in another order are rounded otherwise.
_TIE = 1e-12


@dataclass(frozen=True)
class Decision:
    """The positive class is predicted where its probability is at least the threshold.

    Args:
        positive: the number of the positive class, 0 or 1.
        threshold: a number, or one for each row.
        calibrated: whether it is on the calibrated probability, where there is one.
    """

    positive: int
    threshold: float | Array
    calibrated: bool = False

    def apply(self, probability: Array) -> Array:
        """Class numbers, from the probabilities of the positive class."""
        chosen = probability.astype(np.float64) >= self.threshold
        return np.where(chosen, self.positive, 1 - self.positive)


@dataclass(frozen=True)
class Counts:
    """Right and wrong predictions, as numbers of rows or sums of their weights; perhaps arrays."""

    tp: Any
    fp: Any
    fn: Any
    tn: Any

    @classmethod
    def of(cls, positive: Array, predicted: Array, weight: Array | None = None) -> Counts:
        """Count rows that are positive or not, and are predicted to be or not."""
        cells = 2 * positive.astype(np.int64) + predicted
        tn, fp, fn, tp = np.bincount(cells, weight, 4).tolist()
        return cls(tp, fp, fn, tn)

    @property
    def precision(self) -> Any:
        """The share of right ones among those that are predicted positive; 0 if none is."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Any:
        """The share of positive rows that are predicted; 0 if there are none."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> Any:
        """The harmonic mean of precision and recall; 0 without positive rows."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def balanced_accuracy(self) -> Any:
        """The mean of the recalls of both classes."""
        return (self.recall + _share(self.tn, self.tn + self.fp)) / 2

    @property
    def mcc(self) -> Any:
        """Matthews' correlation coefficient; 0 where it is not defined."""
        tp, fp, fn, tn = (np.asarray(n, np.float64) for n in (self.tp, self.fp, self.fn, self.tn))
        root = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
        return _share(tp * tn - fp * fn, root)


@dataclass(frozen=True)
class Objective:
    """What a threshold is chosen for.

    Args:
        name: for tables: `f1`, `cost`.
        value: of predictions; larger is better, unless it is a cost.
        precision: the least that is allowed.
        beats_all: whether a threshold has to be better than predicting every row positive, as a
            model does that ignores x.
        costs: whether the value is a cost.
    """

    name: str
    value: Callable[[Counts], Any]
    precision: float = 0.0
    beats_all: bool = False
    costs: bool = False


@dataclass(frozen=True)
class Fitted:
    """A threshold; None if there is no use in any, for a reason."""

    threshold: float | None
    reason: str = ""


def fit_threshold(
    objective: Objective, probability: Array, positive: Array, weight: Array | None = None
) -> Fitted:
    """The best threshold for rows: the largest of those that are equally good.

    It lies half-way between the probabilities of the least likely row that it predicts positive and
    of the next row, so that rounding moves no row across. Below all rows it lies half-way to 0. A
    cost may be smallest with no row predicted positive, by a threshold half-way to 1, or above 1
    where a row has a probability of 1.

    Args:
        objective: what is best.
        probability: of the positive class, (rows,).
        positive: whether the row is positive, (rows,).
        weight: of each row; a row with 0 counts as none.
    """
    if weight is not None and not weight.all():
        counted = weight > 0
        found = fit_threshold(objective, probability[counted], positive[counted], weight[counted])
        alike = len(set(positive[counted].tolist())) < 2
        reason = found.reason.replace("row", "row with a weight above 0")
        return replace(found, reason=reason) if alike else found
    if not positive.any():
        return Fitted(None, "no positive row")
    if positive.all():
        return Fitted(None, "no row that is not positive")
    counts, thresholds = _candidates(probability.astype(np.float64), positive, weight)
    values = np.asarray(objective.value(counts), np.float64)
    values = -values if objective.costs else values
    allowed = counts.precision >= objective.precision
    allowed[0] = objective.costs
    if not allowed.any():
        highest = float(counts.precision.max())
        return Fitted(
            None, f"no threshold with a precision of {objective.precision:g}, only {highest:.3g}"
        )
    best = float(values[allowed].max())
    if objective.beats_all and best <= values[-1] + _TIE:
        return Fitted(None, "no threshold that is better than chance")
    equal = values >= best - _TIE * float(np.abs(values).max())
    return Fitted(float(thresholds[np.argmax(allowed & equal)]))


def _candidates(p: Array, positive: Array, weight: Array | None) -> tuple[Counts, Array]:
    """What each threshold predicts, from the largest down; the first is above all rows."""
    order = np.argsort(-p, kind="stable")
    p, yes = p[order], positive[order].astype(np.float64)
    w = np.ones(len(p)) if weight is None else weight[order].astype(np.float64)
    ends = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)  # the last row of each probability
    tp, fp = (np.append(0.0, np.cumsum(part)[ends]) for part in (w * yes, w * (1 - yes)))
    above = np.append(1.0 if p[0] < 1 else 2.0, p[ends])
    below = np.append(p[ends], 0.0)
    middle = (above + below) / 2
    # Between neighbouring floats, the middle is rounded to one of them.
    return Counts(tp, fp, tp[-1] - tp, fp[-1] - fp), np.where(middle > below, middle, above)


def _share(part: Any, whole: Any) -> Any:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole != 0)


@dataclass(frozen=True)
class Classification:
    """Classification with one output for each class, or a single output for the second of two.

    Args:
        probabilistic: whether outputs are probabilities (a last softmax, or one sigmoid).
        decision: of two classes, when the positive one is predicted; by default the class with the
            larger probability is.
        calibration: what becomes of probabilities; None to leave them as the network puts them out.
    """

    classes: int
    outputs: int
    probabilistic: bool
    decision: Decision | None = None
    calibration: Calibration | None = None

    main_metric = "accuracy"
    larger_is_better = True

    def encode(self, y: Array) -> Array:
        """Targets for training: (rows, outputs), ones and zeros, from class numbers."""
        if self.outputs == 1:
            return y[:, None].astype(np.float64)
        return np.eye(self.classes)[y]

    def decode(self, outputs: Array) -> Array:
        """Class numbers, from the network's outputs."""
        if self.decision is not None:
            task = self if self.decision.calibrated else replace(self, calibration=None)
            return self.decision.apply(task.probability(outputs, self.decision.positive))
        if self.calibration is not None:
            outputs = self.calibration.apply(self.stacked(outputs))
            return np.asarray(outputs.argmax(axis=-1))
        if self.outputs == 1:
            return (outputs[..., 0] > 0.5).astype(np.int64)
        best: Array = outputs.argmax(axis=-1)
        return best

    def probability(self, outputs: Array, number: int) -> Array:
        """The probability of one class, from outputs that are probabilities."""
        if self.calibration is not None:
            return self.calibration.apply(self.stacked(outputs))[..., number]
        if self.outputs > 1:
            return outputs[..., number]
        return outputs[..., 0] if number == 1 else 1 - outputs[..., 0]

    def probabilities(self, outputs: Array) -> Array | None:
        """(rows, classes), or None if the outputs are not probabilities."""
        if not self.probabilistic:
            return None
        stacked = self.stacked(outputs)
        return stacked if self.calibration is None else self.calibration.apply(stacked)

    def stacked(self, outputs: Array) -> Array:
        """The same before calibration, from outputs that are probabilities."""
        return np.concatenate([1 - outputs, outputs], axis=1) if self.outputs == 1 else outputs

    def quick_metrics(
        self, outputs: Array, y: Array, weight: Array | None = None
    ) -> dict[str, Array]:
        """The metrics of the history; outputs may have a leading axis for several evaluations."""
        right = self.decode(outputs) == y
        if weight is not None:
            return {"accuracy": np.sum(weight * right, axis=-1) / np.sum(weight)}
        return {"accuracy": np.count_nonzero(right, axis=-1) / len(y)}

    def has_learned(self, outputs: Array, y: Array) -> bool:
        """Whether it makes less than half the errors of always predicting the largest class."""
        errors = int(np.count_nonzero(self.decode(outputs) != y))
        return bool(2 * errors < len(y) - np.bincount(y).max())


@dataclass(frozen=True)
class Regression:
    """Regression; `scale` converts targets to the units of training, `unscale` converts back."""

    scale: Callable[[Array], Array]
    unscale: Callable[[Array], Array]

    main_metric = "mse"
    larger_is_better = False

    def encode(self, y: Array) -> Array:
        """Targets for training, from targets in their original units."""
        return self.scale(y)

    def decode(self, outputs: Array) -> Array:
        """Predictions in the target's original units, from the network's outputs."""
        return self.unscale(outputs.astype(np.float64, copy=False))

    def quick_metrics(
        self, outputs: Array, y: Array, weight: Array | None = None
    ) -> dict[str, Array]:
        """The metrics of the history, in the target's original units; as for classification."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares = (self.decode(outputs) - y) ** 2
            if weight is not None:
                squares = squares * (weight / weight.mean())[:, np.newaxis]
            return {"mse": squares.reshape(*outputs.shape[:-2], -1).mean(axis=-1)}

    def has_learned(self, outputs: Array, y: Array) -> bool:
        """False: for regression, the loss alone decides."""
        return False


Task = Classification | Regression


def task_of(network: Network, preprocessing: Preprocessing, layout: Layout) -> Task:
    """The task of a network that is trained on rows of this layout."""
    if layout.task == "regression":
        return Regression(preprocessing.transform_y, preprocessing.inverse_y)
    return Classification(
        classes=len(layout.classes),
        outputs=network.output_shape[0],
        probabilistic=gives_probabilities(network),
    )


def gives_probabilities(network: Network) -> bool:
    """Whether the outputs are probabilities of classes."""
    last = network.layers[-1].type
    return last == "softmax" or (last == "sigmoid" and network.output_shape[0] == 1)
