"""Rows beside the best of the others: numbers worked out otherwise, and how often they err."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_ind, ttest_rel

from nnrun.sweeps.board import means as comparisons
from nnrun.sweeps.board.means import beside_best, standings
from tests.simulations.best_of_table import best_dropped, most_by_chance, worse_dropped
from tests.simulations.comparisons.rules import intervals, ours
from tests.simulations.comparisons.tables import COMMON_SPLITS
from tests.simulations.comparisons.truths import TRUTHS, intervals_missed
from tests.sweeps.board.comparison.tables import table_of

SIZES = [(2, 3), (8, 5), (20, 10)]
TABLES = 250


def ordered(values):
    return values[np.argsort(-np.nanmean(values, axis=1), kind="stable")]


def unpaired(table):
    """The same rows, each with splits of its own."""
    return replace(table, splits=np.arange(len(table.values)))


@pytest.mark.parametrize("seeds", [2, 6, 20])
def test_the_worse_of_two_paired_rows_is_dropped_by_students_test(seeds):
    """SciPy's one-sided p, and the lower end of the interval."""
    values = ordered(np.random.default_rng(seeds).normal(size=(2, seeds)))
    expected = ttest_rel(values[1], values[0], alternative="less")
    found = standings(table_of(values))
    low = ttest_rel(values[1], values[0], alternative="greater").confidence_interval(0.95).low
    assert expected.pvalue == pytest.approx(found.p[1], rel=1e-9)
    assert low == pytest.approx(found.low[1])
    assert (expected.pvalue > 0.05) == found.kept[1]


def test_the_worse_of_two_unpaired_rows_is_dropped_by_welchs_test():
    """With runs of different number and spread, and whole degrees of freedom."""
    rng = np.random.default_rng(1)
    best, other = rng.normal(2, 1, 9), rng.normal(0, 3, 4)
    values = np.full((2, 9), np.nan)
    values[0], values[1, :4] = best, other
    expected = ttest_ind(other, best, equal_var=False, alternative="less")
    found = standings(unpaired(table_of(values)))
    p = student.cdf(expected.statistic, int(expected.df))
    assert p == pytest.approx(found.p[1], rel=1e-9)
    assert [False, False] == found.paired.tolist()


def test_each_row_may_lose_to_any_of_the_others():
    """Of ten rows, nine could drop it: p is nine times the smallest of single tests."""
    values = ordered(np.random.default_rng(2).normal(size=(10, 6)))
    values[9] -= 1.0
    single = [ttest_rel(values[9], row, alternative="less").pvalue for row in values[:9]]
    found = standings(table_of(values))
    assert 9 * min(single) == pytest.approx(found.p[9], rel=1e-9)
    assert np.array_equal(found.p > 0.05, found.kept)


def test_a_noisy_best_row_hides_nothing():
    """A row that is worse than a quiet one is dropped because of that one."""
    rng = np.random.default_rng(3)
    quiet, worse = rng.normal(size=10), rng.normal(-5.0, size=10)
    noisy = 100 * rng.normal(size=10)
    noisy += 1 - noisy.mean()
    found = standings(table_of(np.array([noisy, quiet, worse])))
    assert [True, True, False] == found.kept.tolist()


def test_overlapping_training_sets_widen_the_interval():
    """Nadeau and Bengio: of 10 splits that test 1 row for 4, √(1/10 + 1/4) in place of √(1/10)."""
    values = ordered(np.random.default_rng(2).normal(size=(2, 10)))
    plain, wide = (standings(table_of(values, overlap)) for overlap in (0.0, 0.25))
    ratio = (wide.low - wide.difference)[1] / (plain.low - plain.difference)[1]
    assert 3.5**0.5 == pytest.approx(ratio)


def test_accuracies_are_rounded_to_a_row():
    """Three differences of one test row in 30 are no certainty: such a number is known to ± half a
    row, and p follows from that.
    """
    values = np.array([[29, 28, 27], [28, 27, 26]]) / 30
    found = standings(table_of(values, resolution=1 / 30))
    expected = student.sf(1 / np.sqrt(1 / 6 / 3), 2)
    assert expected == pytest.approx(found.p[1], rel=1e-6)


def test_rows_without_any_noise():
    """Equal in everything, both may be the best; worse by the same for each seed can be dropped."""
    found = standings(table_of(np.array([[1.0, 1, 1], [1, 1, 1], [0.5, 0.5, 0.5]])))
    assert [True, True, False] == found.kept.tolist()
    assert [0.0, 0.0, -0.5] == found.difference.tolist()
    assert [0.0, 0.0, -0.5] == found.low.tolist()
    assert [0.0, 0.0, 0.0] == found.high.tolist()
    assert [1.0, 1.0, 0.0] == found.p.tolist()


@pytest.mark.parametrize("change", [lambda table: table, unpaired])
def test_equal_but_for_rounding(change):
    """Equal means differ by 0, though their sums are rounded differently."""
    values = np.array([[41, 42, 51, 58, 25], [58, 41, 42, 25, 51]]) / 60
    found = standings(change(table_of(values)))
    assert [0.0, 0.0] == found.difference.tolist()


def test_the_same_difference_in_every_run():
    """It varies by rounding alone, so the interval has no width."""
    table = table_of(np.array([[0.9, 0.8, 0.7], [0.8, 0.7, 0.6]]))
    found = beside_best(table, np.array([1]), np.array([0]))
    assert found.low.tolist() == found.mean.tolist() == found.high.tolist()


@pytest.mark.parametrize("change", [lambda table: table, unpaired])
def test_numbers_near_the_largest(change):
    """No square leaves the range of numbers; an end of an interval may."""
    values = -np.array([[1.0, 2, 3], [1e200, 2e200, 3e200], [1e308, 1.5e308, 1.7e308]])
    found = standings(change(table_of(values)))
    assert [2e200, -2e200, -1.4e308] == pytest.approx(found.difference.tolist())
    assert not np.isnan([found.p, found.low, found.high]).any()


def test_rows_with_missing_seeds_are_compared_over_the_common_ones():
    """What other seeds gave takes no part; without two common seeds, rows are no pairs."""
    values = np.array([[1.0, 1.2, 1.1, 9.0], [0.5, 0.6, 0.7, np.nan]])
    found, expected = standings(table_of(values)), standings(table_of(values[:, :3]))
    assert expected.p == pytest.approx(found.p, rel=1e-12)
    assert expected.difference == pytest.approx(found.difference, rel=1e-12)
    apart = np.full((2, 5), np.nan)
    apart[0, :3], apart[1, 3:] = [1.0, 1.2, 1.1], [0.5, 0.7]
    assert [False, False] == standings(table_of(apart)).paired.tolist()


def test_rows_with_runs_that_diverged_drop_no_others():
    """They flatter themselves; they can be dropped by those that are sound."""
    values = np.array([[3.0, 3.1, 3.2], [2.0, 2.1, 2.3], [1.0, 1.1, 1.3]])
    table = replace(table_of(values), sound=np.array([False, True, True]))
    assert [True, True, False] == standings(table).kept.tolist()


def test_intervals_hold_their_difference_and_say_who_is_kept():
    """On tables of all kinds: low ≤ difference ≤ high, and high is 0 for what is dropped."""
    rng = np.random.default_rng(5)
    for kind in COMMON_SPLITS.values():
        found = standings(table_of(ordered(kind.draw(20, 5, rng)), 0.25, kind.resolution))
        assert (found.low <= found.difference).all()
        assert (found.difference <= found.high).all()
        assert (found.high[~found.kept] == 0).all()
        assert found.kept[0]


def test_large_tables_keep_what_small_ones_do(monkeypatch):
    """Rows are held against the first ones alone, by parts: the same rows are dropped."""
    values = ordered(np.random.default_rng(6).normal(size=(80, 6)))
    values -= np.arange(80)[:, None] / 20
    whole = standings(table_of(values))
    monkeypatch.setattr(comparisons, "_OPPONENTS", 40)
    monkeypatch.setattr(comparisons, "_AT_A_TIME", 1000)
    part = standings(table_of(values))
    assert 0 < whole.kept.sum() < 40
    assert np.array_equal(whole.kept, part.kept)
    assert whole.low == pytest.approx(part.low)


@pytest.mark.parametrize("kind", COMMON_SPLITS)
def test_a_large_table_drops_no_more_than_a_small_one_would(monkeypatch, kind):
    """Held against some rows alone, no row is dropped that all rows would keep, differences are the
    same, and intervals are no shorter.
    """
    rng = np.random.default_rng(8)
    for _ in range(10):
        drawn = COMMON_SPLITS[kind].draw(30, 5, rng)
        table = table_of(ordered(drawn), 0.25, COMMON_SPLITS[kind].resolution)
        whole = standings(table)
        with monkeypatch.context() as patch:
            patch.setattr(comparisons, "_OPPONENTS", 10)
            patch.setattr(comparisons, "_AT_A_TIME", 100)
            part = standings(table)
        assert (part.kept >= whole.kept).all()
        assert np.array_equal(whole.difference, part.difference)
        assert (part.low <= whole.low).all()
        assert (part.high >= whole.high).all()


@pytest.mark.parametrize("name", ["normal", "accuracy", "half"])
def test_the_simulated_rule_is_the_leaderboards(name):
    """What COMPARISONS.md measures, written for many tables at once, gives the same numbers."""
    kind, rng = COMMON_SPLITS[name], np.random.default_rng(7)
    for size in SIZES:
        tables = np.stack([ordered(kind.draw(*size, rng)) for _ in range(5)])
        simulated = intervals(tables, 0.25, kind.resolution)
        for index, values in enumerate(tables):
            found = standings(table_of(values, 0.25, kind.resolution))
            assert np.array_equal(simulated.dropped[index], ~found.kept)
            assert simulated.high[index] == pytest.approx(found.high, abs=1e-12)
            assert simulated.low[index] == pytest.approx(found.low, abs=1e-12)


@pytest.mark.parametrize("name", ["normal", "t3", "mse", "accuracy", "common", "wild", "half"])
def test_the_best_row_is_kept(name):
    """In at least 95% of tables: normal, heavy-tailed, of few values and of unequal noise.

    The bound is binomial, and raises a false alarm in 1 of 1,000 random seeds for all kinds. The
    random numbers are those of seed 42, fixed before looking.
    """
    most = most_by_chance(TABLES, 9 * len(SIZES)) / TABLES
    found = {
        (size, which): share
        for size in SIZES
        for which, share in best_dropped(ours, COMMON_SPLITS[name], size, TABLES).items()
    }
    assert {} == {key: share for key, share in found.items() if share > most}


@pytest.mark.parametrize("truth", TRUTHS)
def test_intervals_hold_for_all_rows_at_once(truth):
    """In at least 95% of tables, with one split for all seeds and with splits that overlap."""
    most = most_by_chance(TABLES, 2 * len(TRUTHS) * len(SIZES)) / TABLES
    for overlap in (0.0, 0.25):
        for size in SIZES:
            assert intervals_missed(truth, size, TABLES, overlap=overlap) <= most


def test_worse_rows_are_dropped():
    """Of rows that are worse by two standard deviations, most with 10 or 20 seeds that draw their
    splits; of three, almost all. The rows that are as good as the best stay.
    """
    for size in ((8, 10), (8, 20), (20, 20)):
        worse, equal = worse_dropped(ours, 2, size, 100, overlap=0.25)
        assert worse > 0.7
        assert equal < 0.05
        assert worse_dropped(ours, 3, size, 100, overlap=0.25)[0] > 0.95
