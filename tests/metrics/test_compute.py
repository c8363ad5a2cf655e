"""Metrics are scikit-learn's, edge cases included; numbers that are hard give null and a reason."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from itertools import chain, product
from math import inf, isfinite, isnan, nan, sqrt
from statistics import median

import numpy as np
import pytest
import sklearn.metrics as reference
from scipy.stats import spearmanr

from nnrun.metrics.compute import Truth, value_of, values_of
from nnrun.metrics.table import METRICS, find, names_of
from nnrun.models.scores import Measured, measured, truth_of
from nnrun.models.task import Classification, Regression

# Each kind of case of classes, of which there are 20, occurs five times, values 25 times.
_CASES = 60
_LABELS = {
    "accuracy": reference.accuracy_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "mcc": reference.matthews_corrcoef,
    "cohen_kappa": reference.cohen_kappa_score,
}
# Counts of classes, averaged in four ways: one call of scikit-learn's gives three of these.
_COUNTS = {
    average: [f"{name}_{average}" for name in ("precision", "recall", "f1")]
    for average in ("macro", "weighted", "micro", "binary")
}
_PROBABILITIES = {
    "roc_auc": lambda y, p, k: reference.roc_auc_score(y, p, multi_class="ovr", labels=k),
    "roc_auc_ovo": lambda y, p, k: reference.roc_auc_score(y, p, multi_class="ovo", labels=k),
    "average_precision": lambda y, p, k: reference.average_precision_score(y, p),
    "log_loss": lambda y, p, k: reference.log_loss(y, p, labels=k),
    "brier": lambda y, p, k: reference.brier_score_loss(y, p, labels=k),
    "top_2_accuracy": lambda y, p, k: reference.top_k_accuracy_score(y, p, k=2, labels=k),
}
_VALUES = {
    "mse": reference.mean_squared_error,
    "rmse": reference.root_mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
    "median_ae": reference.median_absolute_error,
    "mape": reference.mean_absolute_percentage_error,
    "max_error": reference.max_error,
    "explained_variance": reference.explained_variance_score,
    "spearman": lambda y, p: spearmanr(np.ravel(y), np.ravel(p)).statistic,
    "pinball_90": lambda y, p: reference.mean_pinball_loss(y, p, alpha=0.9),
}


def theirs(function, *arguments) -> float | None:
    """What scikit-learn gives; None where it refuses, or gives no number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = float(function(*arguments))
        except (IndexError, ValueError):
            return None
    return None if isnan(value) else value


def counts(y, predicted) -> dict[str, float | None]:
    """scikit-learn's averages of precision, recall and F1 over classes, by their names."""
    found: dict[str, float | None] = {}
    for average, names in _COUNTS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                *three, _ = reference.precision_recall_fscore_support(y, predicted, average=average)
            except ValueError:
                three = [nan] * 3
        values = map(float, three)
        found |= {n: None if isnan(v) else v for n, v in zip(names, values, strict=True)}
    return found


def classes_of(case: int):
    """Outputs and class numbers: some with ties, one class, equal rows or a class without rows."""
    rng = np.random.default_rng(case)
    k, rows = int(rng.integers(2, 6)), int(rng.integers(1, 40))
    y = rng.integers(k, size=rows)
    if case % 5 == 1:
        y[:] = rng.integers(k)
    if case % 5 == 2:
        y[y == 0] = k - 1
    p = rng.dirichlet(np.ones(k), rows)
    if case % 4 == 1:
        p = np.round(p, 1) + 0.1
        p /= p.sum(axis=1, keepdims=True)
    if case % 4 == 2:
        p[:] = p[0]
    return k, y, p


def values_in(case: int):
    """Targets and predictions: some constant, tied or of a single row."""
    rng = np.random.default_rng(case)
    y = rng.normal(size=(int(rng.integers(1, 40)), 1))
    predicted = y + rng.normal(size=y.shape)
    if case % 4 == 1:
        y[:] = 3.0
    if case % 4 == 2:
        predicted[:] = 3.0
    if case % 4 == 3:
        y, predicted = np.round(y), np.round(predicted)
    return y, predicted


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_metric_equals_that_of_scikit_learn(task):
    """To 1e-12 on 60 cases, averages of counts on each third of them, or undefined where
    scikit-learn refuses or gives no number.
    """
    ours, expected = [], []
    for case in range(_CASES):
        if task == "regression":
            y, predicted = values_in(case)
            rows = Truth(y, predicted)
            known = {name: theirs(f, y, predicted) for name, f in _VALUES.items()}
        else:
            k, y, p = classes_of(case)
            predicted = p.argmax(axis=1)
            rows = Truth(y, predicted, p, k)
            given, labels = p[:, 1] if k == 2 else p, np.arange(k)
            known = {name: theirs(f, y, predicted) for name, f in _LABELS.items()}
            known |= {name: theirs(f, y, given, labels) for name, f in _PROBABILITIES.items()}
            if case % 3 == 0:
                known |= counts(y, predicted)
        ours += [(case, name, value_of(name, rows).number) for name in known]
        expected += [(case, name, value) for name, value in known.items()]
    defined = [value is not None for _, _, value in expected]
    assert defined == [value is not None for _, _, value in ours]
    pairs = zip(expected, ours, strict=True)
    apart = [(e, o) for e, o in pairs if e[2] is not None and abs(e[2] - o[2]) > 1e-12]
    assert [] == apart
    assert 0 < sum(defined) < len(defined)


def test_weights_of_rows_count_as_in_scikit_learn():
    """Also where some are 0; for the metrics that have lines of their own."""

    def balanced(y, predicted, weight):
        return reference.balanced_accuracy_score(y, predicted, sample_weight=weight)

    def area(y, given, weight, labels):
        return reference.roc_auc_score(
            y, given, multi_class="ovr", labels=labels, sample_weight=weight
        )

    for case in range(0, _CASES, 2):
        k, y, p = classes_of(case)
        weight = np.random.default_rng(case).integers(0, 4, len(y)) / 2
        if not weight.any():
            continue
        rows = Truth(y, p.argmax(axis=1), p, k, weight)
        given = p[:, 1] if k == 2 else p
        expected = [
            theirs(balanced, y, rows.predicted, weight),
            theirs(area, y, given, weight, range(k)),
        ]
        ours = [value_of(name, rows).number for name in ("balanced_accuracy", "roc_auc")]
        assert expected == pytest.approx(ours, abs=1e-12)


def test_the_cases_are_of_all_metrics():
    """A new metric needs a line above."""
    averages = chain.from_iterable(_COUNTS.values())
    assert set(METRICS) == {*_LABELS, *averages, *_PROBABILITIES, *_VALUES}


@pytest.mark.parametrize(
    ("name", "y", "reason"),
    [
        ("roc_auc", [1, 1, 1], "all rows are of one class"),
        ("average_precision", [0, 1, 0], "there are rows of 2 of 3 classes"),
        ("f1_macro", [], "there are no rows"),
    ],
)
def test_undefined_metrics_of_classes_have_a_reason(name, y, reason):
    """It says what the rows lack, in a sentence."""
    p = np.full((len(y), 3), 1 / 3)
    rows = Truth(np.array(y, int), np.zeros(len(y), int), p, 3)
    assert (None, reason) == value_of(name, rows)


@pytest.mark.parametrize(
    ("name", "y", "predicted", "reason"),
    [
        ("spearman", [1.0, 1.0], [1.0, 2.0], "every target is the same"),
        ("spearman", [1.0, 2.0], [1.0, 1.0], "every prediction is the same"),
        ("max_error", [1.0, 2.0], [1.0, np.inf], "a prediction is not finite"),
        ("r2", [1.0], [2.0], "there is a single row"),
    ],
)
def test_undefined_metrics_of_values_have_a_reason(name, y, predicted, reason):
    """Likewise."""
    rows = Truth(np.array(y)[:, None], np.array(predicted)[:, None])
    assert (None, reason) == value_of(name, rows)


def test_reasons_are_of_the_rows_that_count():
    """A class or a row with a weight of 0 is none."""
    p, weight = np.full((3, 2), 0.5), np.array([0.0, 1.0, 2.0])
    rows = Truth(np.array([0, 1, 1]), np.array([1, 0, 1]), p, 2, weight)
    assert (None, "all rows with a weight above 0 are of one class") == value_of("roc_auc", rows)


def test_reasons_of_what_takes_no_weights_are_of_all_rows():
    """Rank correlation counts a row with a weight of 0, too."""
    y, predicted = np.array([[1.0], [2.0], [2.0]]), np.ones((3, 1))
    rows = Truth(y, predicted, weight=np.array([0.0, 1.0, 2.0]))
    assert (None, "every prediction is the same") == value_of("spearman", rows)


def test_reasons_are_beside_the_numbers():
    """In a report, an undefined metric is null, and the reason has its name."""
    rows = Truth(np.array([1, 1]), np.array([1, 0]), np.full((2, 2), 0.5), 2)
    assert {
        "mcc": 0.0,
        "roc_auc": None,
        "undefined": {"roc_auc": "all rows are of one class"},
    } == values_of(["mcc", "roc_auc"], rows)


def test_names_may_have_numbers():
    """Any k, and any quantile in percent."""
    assert {"k": 12} == find("top_12_accuracy").options
    assert {"alpha": 0.025} == find("pinball_2.5").options
    assert [None] * 4 == [*map(find, ("top_0_accuracy", "top_k_accuracy", "pinball_0", "auc"))]


def test_usual_metrics_are_those_of_reports():
    """What the table says every report has, it has without being asked."""
    classes = Classification(2, 2, probabilistic=True)
    found = measured(classes, np.array([[0.3, 0.7], [0.6, 0.4]]), np.array([1, 0]))
    values = measured(Regression(lambda y: y, lambda y: y), np.ones((2, 1)), np.ones((2, 1)))
    for task, numbers in (("classification", found), ("regression", values)):
        usual = [name for name in names_of(task) if METRICS[name].always]
        assert usual == [name for name in numbers if name in METRICS]


def test_probabilities_of_float32_are_widened():
    """Sums over rows and classes are in float64, whatever the network computes in."""
    task = Classification(2, 1, probabilistic=True)
    outputs = np.array([[0.3], [0.9]], np.float32)
    rows = truth_of(task, outputs, np.array([0, 1]))
    assert (np.float64, (2, 2)) == (rows.probabilities.dtype, rows.probabilities.shape)


# Every metric of rows that are hard to compute with: a right number, or null with its reason.

PLAIN = Regression(lambda y: y, lambda y: y)
ROWS = 6
SIZES = (0.0, 5e-324, 1e-200, 1.0, 1e119, 1e150, 1e153, 1e160, 1e300, 1.7e308)
SPREAD = np.array([-1.0, 0.25, 0.5, 0.75, 1.0, 0.125])
"""Dyadic, so that sizes stay exact."""


def metrics_of(task, outputs, y, names, weight=None, batches=1):
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


def hard_pairs():
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
    for y, predicted in hard_pairs():
        found = metrics_of(PLAIN, predicted[:, None], y[:, None], names)
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
    for y, predicted in hard_pairs():
        found = metrics_of(PLAIN, predicted[:, None], y[:, None], [*THEIRS])
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
        found = metrics_of(PLAIN, predicted, y, [], weight, batches)
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
    assert_explained(metrics_of(PLAIN, np.full((rows, 1), value), y, names_of("regression"), given))


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
            assert_explained(metrics_of(task, outputs, y, names, given))
