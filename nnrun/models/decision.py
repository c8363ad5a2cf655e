"""The threshold at which the positive one of two classes is predicted, fitted on given rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.nn.signature import Array

DEFAULT = 0.5
# Values that differ by less are equal: sums in another order are rounded otherwise.
_TIE = 1e-12


@dataclass(frozen=True)
class Decision:
    """The positive class is predicted where its probability is at least the threshold.

    Args:
        positive: the number of the positive class, 0 or 1.
        threshold: a number, or one for each row.
    """

    positive: int
    threshold: float | Array

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
        """Of rows that are positive or not, and are predicted to be or not."""
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
        chance: the value of a model that ignores x; a threshold has to be better.
        costs: whether the value is a cost.
    """

    name: str
    value: Callable[[Counts], Any]
    precision: float = 0.0
    chance: float | None = None
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

    Thresholds are tried at each probability that a row has; a cost may be smallest with no row
    predicted positive, by a threshold above all.

    Args:
        objective: what is best.
        probability: of the positive class, (rows,).
        positive: whether the row is positive, (rows,).
        weight: of each row.
    """
    counts, thresholds = _candidates(probability, positive, weight)
    if not counts.fn[0] > 0:
        return Fitted(None, "no positive row")
    if not counts.tn[0] > 0:
        return Fitted(None, "no row that is not positive")
    if not objective.costs:
        counts = Counts(counts.tp[1:], counts.fp[1:], counts.fn[1:], counts.tn[1:])
        thresholds = thresholds[1:]
    values = np.asarray(objective.value(counts), np.float64)
    values = -values if objective.costs else values
    allowed = counts.precision >= objective.precision
    if not allowed.any():
        highest = float(counts.precision.max())
        return Fitted(
            None, f"no threshold with a precision of {objective.precision:g}, only {highest:.3g}"
        )
    values = np.where(allowed, values, -np.inf)
    best = float(values.max())
    if objective.chance is not None and best <= objective.chance + _TIE:
        return Fitted(None, "no threshold that is better than chance")
    place = int(np.argmax(values >= best - _TIE * max(1.0, abs(best))))
    return Fitted(float(thresholds[place]))


def _candidates(probability: Array, positive: Array, weight: Array | None) -> tuple[Counts, Array]:
    """What each threshold predicts, from the largest down; the first is above all."""
    order = np.argsort(-probability, kind="stable")
    p, yes = probability[order], positive[order].astype(np.float64)
    w = np.ones(len(p)) if weight is None else weight[order].astype(np.float64)
    ends = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)  # the last row of each probability
    tp, fp = (np.append(0.0, np.cumsum(part)[ends]) for part in (w * yes, w * (1 - yes)))
    above = np.nextafter(p[0], p.dtype.type(2))
    return Counts(tp, fp, tp[-1] - tp, fp[-1] - fp), np.append(above, p[ends])


def _share(part: Any, whole: Any) -> Any:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole != 0)
