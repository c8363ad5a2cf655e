"""When an estimator's training ends: as in scikit-learn's own networks."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from numbers import Integral, Real
from typing import Any

from nnrun.data.dataset import Dataset
from nnrun.training.early_stopping import NoImprovement

_SCORES = {"classification": "validation_accuracy", "regression": "validation_r2"}


def stopping_of(
    estimator: Any, dataset: Dataset, before: NoImprovement | None = None
) -> NoImprovement:
    """Counts epochs without a gain of `tol`, in the score of held-out rows or in the loss.

    A fit that continues the last one starts with its counts, `before`.

    Raises:
        ValueError: a parameter cannot be used.
    """
    scored = bool(estimator.early_stopping)
    rule = NoImprovement(
        monitor=_SCORES[dataset.task] if scored else "loss",
        larger_is_better=scored,
        patience=_patience(estimator.n_iter_no_change),
        restore_best=scored,
        tolerance=not_negative("tol", estimator.tol),
    )
    if before is None or before.monitor != rule.monitor:
        return rule
    # Training that has ended may find one epoch that gains.
    return replace(rule, best=before.best, waited=min(before.waited, rule.patience))


def not_negative(name: str, value: Any) -> float:
    """A parameter that is a number of at least 0.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < inf:
        raise ValueError(f"{name}: {value!r} is not a number of at least 0")
    return float(value)


def _patience(value: Any) -> float:
    if isinstance(value, Real) and float(value) == inf:
        return inf
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        message = "is neither a whole number greater than 0 nor infinite"
        raise ValueError(f"n_iter_no_change: {value!r} {message}")
    return int(value)
