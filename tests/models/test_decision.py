"""Thresholds: those that a search over scikit-learn's metrics finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    matthews_corrcoef,
    precision_recall_curve,
)

from nnrun.config.schema.experiment import DecideConfig
from nnrun.models.task import Classification, Counts, Decision, Objective, fit_threshold
from nnrun.nn.signature import Array
from nnrun.runs.execution.result import objective_of

ONE_TO_FIVE = {"false_positive": 1, "false_negative": 5}
SCORES: dict[str, Callable[..., float]] = {
    "f1": lambda y, p, w: f1_score(y, p, sample_weight=w, zero_division=0),
    "balanced_accuracy": lambda y, p, w: balanced_accuracy_score(y, p, sample_weight=w),
    "mcc": lambda y, p, w: matthews_corrcoef(y, p, sample_weight=w),
}


def objective(**block: object) -> Objective:
    return objective_of(DecideConfig.model_validate(block))


def cases(count: int = 12) -> Iterator[tuple[Array, Array, Array | None]]:
    """Probabilities, many of them tied, in both dtypes; labels that they tell something of; weights
    in every second case.
    """
    for seed, dtype in product(range(count), ("float64", "float32")):
        rng = np.random.default_rng(seed)
        rows = int(rng.integers(10, 80))
        y = rng.random(rows) < rng.choice([0.1, 0.3, 0.6])
        y[:2] = False, True
        p = np.clip(rng.normal(0.4 + 0.25 * y, 0.2), 0, 1).round(int(rng.integers(1, 4)))
        weight = rng.integers(1, 5, rows).astype(float) if seed % 2 else None
        yield p.astype(dtype), y, weight


def best_of(values: list[float], thresholds: Array) -> float:
    """The largest threshold of those that are equally good."""
    best = max(values)
    return max(t for v, t in zip(values, thresholds.tolist(), strict=True) if v >= best - 1e-12)


def assert_same(p: Array, expected: float, found: float | None) -> None:
    """Both thresholds take the same rows, and that found is not the probability of any."""
    assert found is not None
    assert (p >= expected).tolist() == (p >= found).tolist()
    assert found not in p or found == 0


@pytest.mark.parametrize("name", SCORES)
def test_measures_are_largest_at_the_threshold_that_scikit_learn_finds(name: str) -> None:
    """Of all probabilities tried one after the other, that with the largest score."""
    for p, y, weight in cases(6):
        thresholds = np.unique(p)
        values = [SCORES[name](y, p >= t, weight) for t in thresholds]
        found = fit_threshold(objective(maximize=name), p, y, weight)
        if max(values) > values[0] + 1e-12:  # of every row taken for positive
            assert_same(p, best_of(values, thresholds), found.threshold)
        else:
            assert (None, "no threshold that is better than chance") == (
                found.threshold,
                found.reason,
            )


@pytest.mark.parametrize("least", [0.3, 0.5, 0.8, 1.0])
def test_recall_at_a_precision_is_that_of_the_precision_recall_curve(least: float) -> None:
    """The largest recall on scikit-learn's curve where the precision is reached; else no one."""
    aim = objective(maximize={"recall_at_precision": least})
    for p, y, _ in cases():
        precision, recall, thresholds = precision_recall_curve(y, p)
        allowed = precision[:-1] >= least
        found = fit_threshold(aim, p, y)
        if allowed.any():
            assert_same(p, best_of([*recall[:-1][allowed]], thresholds[allowed]), found.threshold)
        else:
            highest = f"{precision[:-1].max():.3g}"
            assert f"no threshold with a precision of {least:g}, only {highest}" == found.reason


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1, 50), (1, 1), (5, 1), (1, 0)])
def test_the_cost_is_smallest(false_positive: float, false_negative: float) -> None:
    """Of all probabilities, and of predicting none, that with the smallest cost."""
    costs = {"false_positive": false_positive, "false_negative": false_negative}
    for p, y, weight in cases():
        w = np.ones(len(p)) if weight is None else weight
        above = np.nextafter(p.max(), p.dtype.type(2))
        thresholds = np.append(np.unique(p), above)
        values = [
            -float((w * (false_positive * ((p >= t) & ~y) + false_negative * ((p < t) & y))).sum())
            for t in thresholds
        ]
        found = fit_threshold(objective(cost=costs), p, y, weight).threshold
        assert_same(p, best_of(values, thresholds), found)


def test_a_weight_of_two_is_the_row_twice() -> None:
    """The same threshold, whatever is maximized."""
    for p, y, weight in cases(8):
        if weight is not None:
            twice = np.repeat(np.arange(len(p)), weight.astype(int))
            for aim in (objective(maximize="mcc"), objective(maximize="f1")):
                assert fit_threshold(aim, p[twice], y[twice]) == fit_threshold(aim, p, y, weight)


def test_a_weight_of_zero_is_no_row() -> None:
    """The same threshold as without such rows, and the same reason for none."""
    for p, y, weight in cases(8):
        if weight is not None:
            some = weight * (np.arange(len(p)) % 3 > 0)
            kept = some > 0
            for aim in (objective(maximize="mcc"), objective(cost=ONE_TO_FIVE)):
                assert fit_threshold(aim, p[kept], y[kept], some[kept]) == fit_threshold(
                    aim, p, y, some
                )
            found = fit_threshold(aim, p, y, np.where(y, 0.0, weight))
            assert (None, "no positive row with a weight above 0") == (
                found.threshold,
                found.reason,
            )


@pytest.mark.parametrize(
    ("p", "aim", "threshold"),
    [
        ([0.2, 0.4, 0.7, 0.9], {"maximize": "f1"}, 0.55),
        ([0.2, 0.9, 0.4, 0.7], {"maximize": {"recall_at_precision": 0.5}}, 0.3),
        ([0.5, 0.5, 0.2, 0.2], {"maximize": {"recall_at_precision": 0.5}}, 0.1),
        ([0.0, 0.0, 0.0, 0.0], {"maximize": {"recall_at_precision": 0.5}}, 0.0),
        ([0.6, 0.6, 0.2, 0.2], {"cost": {"false_positive": 5, "false_negative": 1}}, 0.8),
        ([1.0, 1.0, 0.2, 0.2], {"cost": {"false_positive": 5, "false_negative": 1}}, 1.5),
        ([0.5, np.nextafter(0.5, 0), np.nextafter(0.5, 1), 0.9], {"maximize": "f1"},
         np.nextafter(0.5, 1)),
    ],
)  # fmt: skip
def test_the_threshold_lies_between_two_rows(p: list, aim: dict, threshold: float) -> None:
    """Half-way; below all half-way to 0, above all to 1, or to 2 where a row has 1."""
    found = fit_threshold(objective(**aim), np.array(p), np.array([0, 0, 1, 1], bool))
    assert threshold == pytest.approx(found.threshold, rel=1e-15)


def test_the_unit_of_weights_changes_no_threshold() -> None:
    """Also where sums of costs are tiny."""
    aim = objective(cost=ONE_TO_FIVE)
    for p, y, weight in cases(8):
        if weight is not None:
            assert fit_threshold(aim, p, y, weight) == fit_threshold(aim, p, y, weight * 2.0**-60)


@pytest.mark.parametrize(
    ("y", "p", "reason"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3], "no positive row"),
        ([1, 1, 1], [0.1, 0.2, 0.3], "no row that is not positive"),
        ([0, 1, 0], [0.5, 0.5, 0.5], "no threshold that is better than chance"),
        ([1, 0, 0], [0.1, 0.2, 0.3], "no threshold that is better than chance"),
    ],
)
def test_without_use_there_is_no_threshold(y: list, p: list, reason: str) -> None:
    """Rows of one class, equal or misleading probabilities give a reason in its place."""
    found = fit_threshold(objective(maximize="mcc"), np.array(p), np.array(y, bool))
    assert (None, reason) == (found.threshold, found.reason)


def test_counts_by_hand() -> None:
    """Two positive rows, one found; two others, one of them taken for positive."""
    positive = np.array([True, True, False, False])
    counts = Counts.of(positive, np.array([True, False, True, False]))
    assert (1, 1, 1, 1) == (counts.tp, counts.fp, counts.fn, counts.tn)
    assert (0.5, 0.5, 0.5, 0.5, 0) == (
        counts.precision, counts.recall, counts.f1, counts.balanced_accuracy, counts.mcc
    )  # fmt: skip


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("outputs", [1, 2])
def test_the_positive_class_is_predicted_from_the_threshold_on(positive: int, outputs: int) -> None:
    """With one output or two, of either class, the threshold itself included."""
    p = np.array([0.25, 0.75, 0.5])
    second = p if positive == 1 else 1 - p
    given = second[:, None] if outputs == 1 else np.stack([1 - second, second], axis=1)
    task = Classification(2, outputs, True, Decision(positive, 0.5))
    assert [1 - positive, positive, positive] == task.decode(given).tolist()
