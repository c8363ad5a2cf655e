"""Every metric of rows that are hard to compute with: a right number, or null with its reason."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from itertools import product
from math import inf, isfinite, sqrt
from statistics import median

import numpy as np
import pytest
import sklearn.metrics as reference

from nnrun.metrics.table import METRICS, find, names_of
from nnrun.models.scores import Measured
from nnrun.models.task import Classification, Regression

PLAIN = Regression(lambda y: y, lambda y: y)
ROWS = 6
SIZES = (0.0, 5e-324, 1e-200, 1.0, 1e119, 1e150, 1e153, 1e160, 1e300, 1.7e308)
SPREAD = np.array([-1.0, 0.25, 0.5, 0.75, 1.0, 0.125])
"""Dyadic, so that sizes stay exact."""


def measured(task, outputs, y, names, weight=None, batches=1):
    """The metrics of all rows, added in batches."""
    score = Measured(task, names)
    for part in np.array_split(np.arange(len(y)), batches):
        score.add(outputs[part], y[part], None if weight is None else weight[part])
    return score.metrics()


def assert_explained(found) -> None:
    """Null where there is a reason, and nowhere else; and strict JSON."""
    numbers = {name: value for name, value in found.items() if name != "undefined"}
    nulls = {name for name, value in numbers.items() if value is None}
    assert nulls == found.get("undefined", {}).keys()
    assert all(found.get("undefined", {}).values())
    json.dumps(found, allow_nan=False)


def exact(y, predicted) -> dict[str, list[float | Fraction]]:
    """Metrics of values by rational numbers, one for each output; sizes that are roots, squared."""
    found: dict[str, list[float | Fraction]] = {}
    for true, given in zip(np.transpose(y), np.transpose(predicted), strict=True):
        t, p = ([Fraction(float(v)) for v in values] for values in (true, given))
        errors = [a - b for a, b in zip(t, p, strict=True)]
        sizes, squares = [abs(e) for e in errors], sum(e * e for e in errors)
        deviation = sum((a - sum(t) / len(t)) ** 2 for a in t)
        around = sum((e - sum(errors) / len(errors)) ** 2 for e in errors)
        one = {
            "mse": squares / len(t),
            "mae": sum(sizes) / len(t),
            "median_ae": median(sizes),
            "max_error": max(sizes),
            "pinball_90": sum(max(9 * e, -e) for e in errors) / 10 / len(t),
            "r2": 1 - squares / deviation if deviation else Fraction(squares == 0),
            "explained_variance": 1 - around / deviation if deviation else Fraction(around == 0),
        }
        for name, value in one.items():
            found.setdefault(name, []).append(value)
    return found


def as_float(value: Fraction) -> float:
    """The nearest number, infinite beyond their range."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def expected_of(y, predicted) -> dict[str, float]:
    """The means over outputs of what is exact."""
    by_output = exact(y, predicted)
    found = {name: as_float(sum(v) / len(v)) for name, v in by_output.items()}
    found["rmse"] = as_float(sum(map(root, by_output["mse"])) / len(by_output["mse"]))
    return found


def root(value: Fraction) -> Fraction:
    """To the precision of float64, at any size."""
    shift = (value.numerator.bit_length() - value.denominator.bit_length()) // 2 if value else 0
    scaled = value / Fraction(4) ** shift
    return Fraction(sqrt(scaled)) * Fraction(2) ** shift


def pairs():
    """Targets and predictions of each size beside each other, some constant or exact."""
    for size, other in product(SIZES, SIZES):
        y, predicted = size * SPREAD, other * SPREAD[::-1]
        yield y, predicted
        yield np.full(ROWS, size), predicted
        yield y, np.full(ROWS, other)
    for size in SIZES:
        yield size * SPREAD, size * SPREAD
        yield size * SPREAD, size * (SPREAD + np.spacing(SPREAD))


def test_every_metric_of_values_is_right_or_has_a_reason():
    """Exact arithmetic decides: a number that float64 holds is given, others are said to be beyond
    it. Squares of numbers below 1e-150 are 0, as in scikit-learn.
    """
    names = names_of("regression")
    compared = 0
    for y, predicted in pairs():
        found = measured(PLAIN, predicted[:, None], y[:, None], names)
        assert_explained(found)
        tiny = max(np.abs(y).max(), np.abs(predicted).max()) < 1e-150
        for name, value in ({} if tiny else expected_of(y[:, None], predicted[:, None])).items():
            share = METRICS[name].degree == 0  # of a variance, which may be 0 in float64
            # A constant that is so large takes the digits of y from every error.
            drowned = name == "explained_variance" and len({*predicted.tolist()}) == 1
            if share and (np.ptp(y / 4) < 1e-150 or drowned):
                continue
            case = (name, y[0], predicted[0], found[name], value)
            if found[name] is None:
                assert abs(value) > 1e290, case
            else:
                assert found[name] == pytest.approx(
                    value, rel=1e-9, abs=1e-9 if share else 1e-300
                ), case
            compared += 1
    assert compared > 1000


THEIRS = {
    metric.name: getattr(reference, metric.function)
    for metric in METRICS.values()
    if metric.needs == "values" and metric.function != "spearmanr"
}


def test_every_number_of_scikit_learn_is_ours():
    """Where it computes one without an overflow on the way."""
    compared = 0
    for y, predicted in pairs():
        found = measured(PLAIN, predicted[:, None], y[:, None], [*THEIRS])
        for name, function in THEIRS.items():
            options = find(name).options
            try:
                with np.errstate(over="raise"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    value = float(function(y, predicted, **options))
            except FloatingPointError:
                continue
            if isfinite(value):
                case = (name, y, predicted)
                assert found[name] == pytest.approx(value, rel=1e-12, abs=1e-300), case
                compared += 1
    assert compared > 1000


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("first", [1.0, 1e160, 1.7e308])
@pytest.mark.parametrize("second", [1e-3, 1.0, 1e160, 1e300])
def test_batches_and_outputs_of_other_sizes_are_summed_up(first, second, weighted):
    """Large numbers in one batch or one output take no digit from another."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(40, 2)) / 8 * [first, second]
    predicted = y * rng.uniform(0.5, 1.5, y.shape)
    y[:25, 0] /= 1e100  # the large ones come late
    weight = rng.integers(1, 4, 40).astype(float) if weighted else None
    rows = np.arange(40) if weight is None else np.repeat(np.arange(40), weight.astype(int))
    exactly = expected_of(y[rows], predicted[rows])
    for batches in (1, 3, 40):
        found = measured(PLAIN, predicted, y, [], weight, batches)
        assert_explained(found)
        for name in ("mse", "rmse", "mae", "r2"):
            if isfinite(exactly[name]):
                assert exactly[name] == pytest.approx(found[name], rel=1e-9), name
            else:
                assert "beyond the range" in found["undefined"][name]


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("value", [0.0, 1e308, np.nan, np.inf])
@pytest.mark.parametrize("weight", [None, 0.0, 1e50, 1e-50])
def test_few_rows_of_values_have_numbers_or_reasons(rows, value, weight):
    """Of predictions that are not finite, and of rows that do not count, too."""
    given = None if weight is None else np.full(rows, weight)
    y = np.zeros((rows, 1))
    assert_explained(measured(PLAIN, np.full((rows, 1), value), y, names_of("regression"), given))


@pytest.mark.parametrize("probabilistic", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weight", [None, 0.0, 1e50])
def test_every_metric_of_classes_has_a_number_or_a_reason(classes, probabilistic, weight):
    """Of no rows, one row, a class without rows, probabilities of 0 and 1, and none at all."""
    every = names_of("classification")
    names = [n for n in every if probabilistic or METRICS[n].needs == "labels"]
    names = [n for n in names if classes == 2 or "binary" not in METRICS[n].options.values()]
    task = Classification(classes, classes, probabilistic)
    for labels in ([], [1], [0, 0], [0, 1, classes - 1]):
        y = np.array(labels, int)
        for value in (0.5, 5e-324, 1e308, np.nan):
            outputs = np.zeros((len(y), classes))
            outputs[:, 0], outputs[:, 1] = value, 1 - value
            given = None if weight is None else np.full(len(y), weight)
            assert_explained(measured(task, outputs, y, names, given))
