"""Means and intervals against numbers worked out by hand or from printed tables."""

from __future__ import annotations

from math import sqrt

import pytest

from nnrun.sweeps.board.means import mean_of, summarize, t_quantile


def test_summary_of_four_values():
    """2, 4, 4, 6: mean 4, sd √(8/3), and 3.182 standard errors to either side."""
    summary = summarize([2.0, 4.0, 4.0, 6.0])
    sd = sqrt(8 / 3)
    assert (4, 4.0, 2.0, 6.0) == (summary.n, summary.mean, summary.minimum, summary.maximum)
    assert sd == pytest.approx(summary.sd)
    assert 4 - 3.182446 * sd / 2 == pytest.approx(summary.ci_low, rel=1e-6)
    assert 4 + 3.182446 * sd / 2 == pytest.approx(summary.ci_high, rel=1e-6)


def test_one_value_has_no_spread():
    """And none has no summary."""
    assert summarize([]) is None
    summary = summarize([3.0])
    assert (3.0, None, None, None) == (summary.mean, summary.sd, summary.ci_low, summary.ci_high)


@pytest.mark.parametrize(("degrees", "expected"), [(1, 12.706), (4, 2.776), (19, 2.093)])
def test_quantiles_are_those_of_the_tables(degrees, expected):
    """97.5% of Student's t."""
    assert expected == pytest.approx(t_quantile(0.975, degrees), abs=5e-4)


def test_an_interval_stays_where_values_can_be():
    """An accuracy is at most 1, and so is what its mean may be."""
    values = [0.7, 0.9, 1.0]
    assert summarize(values).ci_high > 1
    held = summarize(values, within=(0.0, 1.0))
    assert 1.0 == held.ci_high
    assert held.mean - held.ci_low == held.half


def test_a_sum_that_leaves_the_range_of_numbers_has_a_mean():
    """And its interval has the ends that are numbers."""
    assert 1.5e308 == pytest.approx(mean_of([1.4e308, 1.6e308]))
    assert summarize([1.0e308, 1.6e308], within=(0.0, float("inf"))).ci_high is None
