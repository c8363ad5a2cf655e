"""Means, intervals and ties against numbers worked out by hand or from printed tables."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy.stats import ttest_ind

from nnrun.sweeps.board.comparisons import paired_differences, unpaired_differences
from nnrun.sweeps.board.statistics import mean_of, summarize, t_quantile


def paired_p(differences):
    """Of two rows, by these differences: Student's paired test."""
    values = np.array([differences, [0.0] * len(differences)])
    return paired_differences(values, rows=2).p[0]


def welch_p(ours, theirs):
    """Of two rows: Welch's test. It is two-sided, so that the better one stands first."""
    rows = sorted((ours, theirs), key=lambda row: -sum(row) / len(row))
    values = np.full((2, max(map(len, rows))), np.nan)
    for line, row in zip(values, rows, strict=True):
        line[: len(row)] = row
    return unpaired_differences(values, rows=2).p[0]


def test_summary_of_four_values():
    """2, 4, 4, 6: mean 4, sd √(8/3), and 3.182 standard errors to either side."""
    summary = summarize([2.0, 4.0, 4.0, 6.0])
    sd = sqrt(8 / 3)
    assert (4, 4.0, 2.0, 6.0) == (summary.n, summary.mean, summary.minimum, summary.maximum)
    assert sd == pytest.approx(summary.sd)
    assert 4 - 3.182446 * sd / 2 == pytest.approx(summary.low, rel=1e-6)
    assert 4 + 3.182446 * sd / 2 == pytest.approx(summary.high, rel=1e-6)


def test_one_value_has_no_spread():
    """And none has no summary."""
    assert summarize([]) is None
    summary = summarize([3.0])
    assert (3.0, None, None, None) == (summary.mean, summary.sd, summary.low, summary.high)


@pytest.mark.parametrize(("degrees", "expected"), [(1, 12.706), (4, 2.776), (19, 2.093)])
def test_quantiles_are_those_of_the_tables(degrees, expected):
    """97.5% of Student's t."""
    assert expected == pytest.approx(t_quantile(0.975, degrees), abs=5e-4)


def test_paired_p_for_one_degree_of_freedom():
    """Of differences 1 and 3, t is 2; with one degree of freedom p is 1 - (2/π)·atan(t)."""
    assert 0.2951672 == pytest.approx(paired_p([1.0, 3.0]), abs=1e-6)


def test_paired_p_at_the_edge_of_significance():
    """t of 2.776445 with four degrees of freedom is p = 0.05."""
    differences = [-2.0, -1.0, 0.0, 1.0, 2.0]
    shift = 2.776445 * sqrt(2.5) / sqrt(5)
    assert 0.05 == pytest.approx(paired_p([d + shift for d in differences]), abs=1e-6)


def test_paired_p_of_equal_differences():
    """Never any difference is no evidence; always the same one has no noise to be held against."""
    assert 1.0 == paired_p([0.0, 0.0, 0.0])
    assert np.isnan(paired_p([0.5, 0.5]))


def test_welch_p_is_that_of_scipy():
    """For samples of several sizes and spreads."""
    rng = np.random.default_rng(0)
    for sizes in ((2, 2), (5, 20), (20, 3)):
        ours, theirs = (rng.normal(k, 1 + 3 * k, size) for k, size in enumerate(sizes))
        expected = ttest_ind(ours, theirs, equal_var=False).pvalue
        assert expected == pytest.approx(welch_p(ours.tolist(), theirs.tolist()), rel=1e-12)


def test_welch_p_of_enormous_numbers():
    """A regression that nearly diverged has errors whose squares would be infinite."""
    expected = ttest_ind([1, -1, 3], [0, 0], equal_var=False).pvalue
    assert expected == pytest.approx(welch_p([1e200, -1e200, 3e200], [1.0, 2.0]))


def test_welch_p_without_any_spread():
    """Equal means of equal values are no evidence, unequal ones nothing that can be told."""
    assert 1.0 == welch_p([0.5, 0.5], [0.5, 0.5])
    assert np.isnan(welch_p([0.5, 0.5], [0.4, 0.4]))


def test_an_interval_stays_where_values_can_be():
    """An accuracy is at most 1, and so is what its mean may be."""
    values = [0.7, 0.9, 1.0]
    assert summarize(values).high > 1
    assert 1.0 == summarize(values, within=(0.0, 1.0)).high


def test_a_sum_that_leaves_the_range_of_numbers_has_a_mean():
    """And its interval has the ends that are numbers."""
    assert 1.5e308 == pytest.approx(mean_of([1.4e308, 1.6e308]))
    assert summarize([1.0e308, 1.6e308], within=(0.0, float("inf"))).high is None
