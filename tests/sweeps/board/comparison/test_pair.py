"""One test of two rows that were chosen: p, interval, and what is assumed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_ind, ttest_rel

from nnrun.sweeps.board.verdicts import pair_test
from tests.sweeps.board.boards import named, score

RNG = np.random.default_rng(0)
ONE, OTHER = RNG.normal(0.8, 0.1, 6), RNG.normal(0.7, 0.1, 6)


def member(name, values, **changes):
    scores = [score(s, float(value)) for s, value in enumerate(values)]
    return named(name, seeds=range(len(scores)), **changes), scores


def test_rows_of_the_same_splits_are_paired():
    """SciPy's two-sided p and interval, the first row less the second, in the order asked for."""
    found = pair_test(member("one", ONE), member("other", OTHER), "test")
    expected = ttest_rel(ONE, OTHER)
    interval = expected.confidence_interval(0.95)
    assert expected.pvalue == pytest.approx(found.p, rel=1e-9)
    assert (interval.low, interval.high) == pytest.approx((found.low, found.high))
    assert (True, 6, "one", "other", "test accuracy") == (
        found.paired, found.n, found.first, found.second, found.metric,
    )  # fmt: skip
    assert "runs of one seed on one split" in found.assumed
    turned = pair_test(member("other", OTHER), member("one", ONE), "test")
    assert -found.difference == turned.difference


def test_other_splits_are_welchs_test():
    """SciPy's, with all runs of both."""
    found = pair_test(member("a", ONE), member("b", OTHER[:4], division="0.5"), "test")
    expected = ttest_ind(ONE, OTHER[:4], equal_var=False)
    assert expected.pvalue == pytest.approx(found.p, rel=1e-9)
    assert (False, 6, 4) == (found.paired, found.n, found.n_second)
    assert "unpaired" in found.assumed


def test_splits_that_overlap_are_allowed_for():
    """The variance of the mean is s²·(1/n + 1/4), and the test says so."""
    rows = [member(n, v, overlap={"test": 0.25}) for n, v in (("a", ONE), ("b", OTHER))]
    found = pair_test(*rows, "test")
    d = ONE - OTHER
    t = d.mean() / (d.std(ddof=1) * (1 / 6 + 0.25) ** 0.5)
    assert 2 * student.sf(abs(t), 5) == pytest.approx(found.p, rel=1e-9)
    assert "Nadeau and Bengio 2003" in found.assumed


def test_too_few_runs_or_no_noise():
    """A single run of either gives no test; a difference without noise has no p."""
    assert None is pair_test(member("a", ONE[:1]), member("b", OTHER), "test")
    always = pair_test(member("a", [0.5, 0.5]), member("b", [0.4, 0.4]), "test")
    assert (None, 0.1) == (always.p, pytest.approx(always.difference))
    assert 1.0 == pair_test(member("a", [0.5, 0.5]), member("b", [0.5, 0.5]), "test").p


def test_numbers_near_the_largest():
    """No square leaves the range of numbers."""
    found = pair_test(member("a", [1e200, 3e200, 2e200]), member("b", [0, 0, 0]), "test")
    assert 2e200 == pytest.approx(found.difference)
    assert 0 < found.p < 1


@pytest.mark.parametrize("division", ["1", "2"])
def test_equal_but_for_rounding(division):
    """Equal means differ by 0, though their sums round differently."""
    one, other = np.array([[41, 42, 51, 58, 25], [58, 41, 42, 25, 51]]) / 60
    found = pair_test(member("a", one), member("b", other, division=division), "test")
    assert 0.0 == found.difference


def test_the_same_difference_in_every_run():
    """It varies by rounding alone: there is nothing to test it by."""
    found = pair_test(member("a", [0.9, 0.8, 0.7]), member("b", [0.8, 0.7, 0.6]), "test")
    assert (None, found.low) == (found.p, found.high)
