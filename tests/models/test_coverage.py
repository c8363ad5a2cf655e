"""Intervals and sets: the quantiles behind them, their scales, and what is kept of many scores."""

import math

import numpy as np
import pytest

from nnrun.errors import UsageError
from nnrun.models.coverage import MOST_SCORES, Coverage, HeldOut, Promise


def of_errors(errors: np.ndarray) -> Coverage:
    """The coverage of a network that puts out 0 for rows with these values."""
    truth = errors[:, np.newaxis]
    return Coverage.of_numbers(HeldOut(np.zeros(truth.shape), truth), "validation")


def half_width(coverage: Coverage, share: float) -> float:
    _, high = coverage.interval(np.zeros((1, 1)), None, 1, share)
    return float(high[0, 0])


@pytest.mark.parametrize("rows", [9, 19, 20, 99, 100, 1999])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
def test_half_an_interval_is_the_error_of_its_rank(rows: int, share: float) -> None:
    """The half width is the error of rank ceil((rows + 1) share), as the theory wants it."""
    errors = np.random.default_rng(0).standard_normal(rows)
    expected = np.sort(np.abs(errors))[math.ceil((rows + 1) * share - 1e-9) - 1]
    assert half_width(of_errors(errors), share) == expected


def test_of_many_scores_some_are_kept() -> None:
    """A quantile of the scores that are kept is the next one above that of all."""
    errors = np.abs(np.random.default_rng(1).standard_normal(9_973))
    coverage, ordered = of_errors(errors), np.sort(errors)
    assert len(coverage.scores[0]) == MOST_SCORES
    for share in np.linspace(0.01, 0.9998, 77):
        rank = math.ceil((len(errors) + 1) * share - 1e-9)
        allowed = ordered[rank - 1 : rank + math.ceil(len(errors) / MOST_SCORES)]
        assert half_width(coverage, share) in allowed


def test_a_coverage_needs_rows() -> None:
    """Nine rows suffice for 90%, eight do not, and the error says how many are needed."""
    assert half_width(of_errors(np.arange(9.0)), 0.9) == 8.0
    with pytest.raises(UsageError, match=r"needs 9 rows .* and there are 8"):
        half_width(of_errors(np.arange(8.0)), 0.9)


def test_intervals_are_wider_where_networks_differ() -> None:
    """Errors that grow with the networks' variance give intervals that do."""
    rng = np.random.default_rng(2)
    variance = rng.uniform(0, 4, (4000, 1))
    truth = np.sqrt(1 + 2 * variance) * rng.standard_normal((4000, 1))
    held_out = HeldOut(np.zeros_like(truth), truth, variance, np.array([[8]]))
    coverage = Coverage.of_numbers(held_out, "out_of_bag")
    low, high = coverage.interval(np.zeros((2, 1)), np.array([[0.0], [4.0]]), 8, 0.9)
    width = (high - low)[:, 0]
    assert width[1] / width[0] == pytest.approx(3, rel=0.1)
    assert width[0] / 2 == pytest.approx(1.645, rel=0.1)


def test_means_of_fewer_networks_are_further_off() -> None:
    """Errors of single networks give the width that the mean of ten has."""
    rng = np.random.default_rng(3)
    variance = np.full((20_000, 1), 4.0)
    truth = np.sqrt(1 + 4.0) * rng.standard_normal((20_000, 1))
    held_out = HeldOut(np.zeros_like(truth), truth, variance, np.array([[1]]))
    coverage = Coverage.of_numbers(held_out, "out_of_bag")
    _, high = coverage.interval(np.zeros((1, 1)), variance[:1], 10, 0.9)
    assert float(high[0, 0]) == pytest.approx(1.645 * math.sqrt(1 + 0.4), rel=0.03)


@pytest.mark.parametrize("by_class", [False, True])
def test_sets_hold_what_they_promise(by_class: bool) -> None:
    """Of rows drawn by the probabilities, the promised share has its class in its set."""
    rng = np.random.default_rng(4)
    probabilities = rng.dirichlet([0.6, 0.9, 1.5], 6000)
    drawn = (probabilities.cumsum(axis=1) < rng.random((6000, 1))).sum(axis=1)
    known, new = slice(0, 3000), slice(3000, None)
    coverage = Coverage.of_classes(HeldOut(probabilities[known], drawn[known]), "validation")
    sets = coverage.sets(probabilities[new], Promise(0.9, by_class))
    right = np.take_along_axis(sets, drawn[new, np.newaxis], axis=1)[:, 0]
    groups = [drawn[new] == number for number in range(3)] if by_class else [np.full(3000, True)]
    for group in groups:
        assert right[group].mean() == pytest.approx(0.9, abs=4 * math.sqrt(0.18 / group.sum()))


def test_the_likeliest_class_is_in_every_set() -> None:
    """Where the likeliest class is always right, sets have this class alone."""
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1]] * 10)
    held_out = HeldOut(probabilities, probabilities.argmax(axis=1))
    sets = Coverage.of_classes(held_out, "validation").sets(probabilities, Promise(0.9))
    assert (sets == (probabilities == probabilities.max(axis=1, keepdims=True))).all()


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, float("nan"), True, "0.9", None])
def test_a_coverage_is_a_share(coverage: object) -> None:
    """What is no number between 0 and 1 is refused."""
    with pytest.raises(UsageError, match="is no share between 0 and 1"):
        Promise.of(coverage)


def test_groups_count_the_same_however_many_rows_they_have() -> None:
    """A row stands for its share of its group: a hundred rows of one group are a ninth of nine."""
    groups = np.repeat(np.arange(9), [100, 1, 1, 1, 1, 1, 1, 1, 1])
    errors = np.where(groups == 0, 1.0, groups.astype(float))
    held_out = HeldOut(np.zeros((108, 1)), errors[:, np.newaxis], groups=groups)
    coverage = Coverage.of_numbers(held_out, "validation")
    assert [1, 4, 8] == [half_width(coverage, share) for share in (0.2, 0.5, 0.9)]
    with pytest.raises(UsageError, match=r"needs 19 groups .* and there are 9;"):
        half_width(coverage, 0.95)


def test_the_promise_holds_for_rows_of_new_groups() -> None:
    """Of 4,000 draws of 12 unequal groups and a row of one more, 80% are covered or a little more.

    By the rows, most of them of large groups, it would be 52%.
    """
    rng, right = np.random.default_rng(5), 0
    for _ in range(4000):
        sizes = rng.choice([1, 2, 40], 13)
        groups = np.repeat(np.arange(13), sizes)
        off = rng.standard_normal(13)[groups] * np.where(sizes == 40, 0.3, 1)[groups]
        values = (off + 0.2 * rng.standard_normal(len(groups)))[:, np.newaxis]
        known = groups < 12
        held_out = HeldOut(np.zeros((known.sum(), 1)), values[known], groups=groups[known])
        coverage = Coverage.of_numbers(held_out, "validation")
        right += abs(values[-1, 0]) <= half_width(coverage, 0.8)
    assert 0.8 - 0.019 < right / 4000 < 0.88
