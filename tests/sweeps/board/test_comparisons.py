"""Comparisons of settings: pairs, verdicts, several beside each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_ind, ttest_rel

from nnrun.reports.board_notes import beside_words, choice_notes
from nnrun.reports.boards import to_the_best
from nnrun.reports.leaderboard_files import leaderboard_csv, leaderboard_markdown
from nnrun.sweeps.board import means as comparisons
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.means import beside_best, standings, summarize
from nnrun.sweeps.board.rows import Leaderboard, with_margin
from nnrun.sweeps.board.verdicts import Beside, pair_test
from tests.simulations.best_of_table import best_dropped, most_by_chance, worse_dropped
from tests.simulations.comparisons.designs import TRUTHS, intervals_missed
from tests.simulations.comparisons.rules import intervals, ours
from tests.simulations.comparisons.tables import COMMON_SPLITS
from tests.sweeps.board.boards import named, progress, score, table_of

# Rows beside the best of the others: numbers worked out otherwise, and how often they err.

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


# Models of scikit-learn beside the best network: intervals, sentences, and what is left out.

RNG = np.random.default_rng(1)
NETWORK, MODEL, OTHER = (RNG.normal(mean, 0.02, 6) for mean in (0.7, 0.8, 0.6))


def member(name, values, **choice):
    scores = [score(seed, float(value)) for seed, value in enumerate(values)]
    return named(name, seeds=range(len(scores)), choice=choice), scores


def board(*members):
    return make_leaderboard(progress(*members), "nnrun sweep")


def test_one_network_and_one_model():
    """The interval is that of Student's paired test."""
    members = member("a", NETWORK), member("a", MODEL, beside="forest")
    (found,) = board(*members).groups[0].beside
    test = pair_test(members[1], members[0], "test")
    assert ("forest", "a") == (found.model, found.network)
    assert (test.difference, test.low, test.high) == pytest.approx(
        (found.difference, found.low, found.high)
    )


def test_errors_are_turned():
    """Of errors, smaller is better: the difference is still in favour of the model."""
    rows = [member("a", NETWORK), member("a", MODEL, beside="forest")]
    rows = [(named(v.name, **{**OF_ERRORS, "choice": v.choice}), scores) for v, scores in rows]
    (found,) = board(*rows).groups[0].beside
    assert found.high < 0 < -found.difference


OF_ERRORS = {"metric": "mse", "larger_is_better": False, "seeds": range(6)}


def test_intervals_hold_together():
    """Of equal rows, all intervals have the true difference in 95% of tables."""
    rng, right = np.random.default_rng(0), 0
    for _ in range(300):
        found = beside_best(
            table_of(rng.normal(size=(6, 5))), np.array([3, 4, 5]), np.array([0, 1, 2])
        )
        right += bool(((found.low <= 0) & (0 <= found.high)).all())
    assert right >= 0.95 * 300


def test_models_need_a_network():
    """Without a network of several runs there is nothing to hold a model against."""
    assert [] == board(member("a", MODEL, beside="forest")).groups[0].beside
    rows = member("a", NETWORK[:1]), member("a", MODEL, beside="forest")
    assert [] == board(*rows).groups[0].beside


def test_first_network():
    """The best network is named where a model is ahead of it."""
    (group,) = board(member("a", NETWORK), member("a", MODEL, beside="forest")).groups
    assert [False, True] == [row.is_network for row in group.rows]
    assert group.rows[1] is group.first_network


def test_cheapest_is_a_network():
    """Models of scikit-learn have no parameters to count."""
    rows = member("a", NETWORK), member("a", NETWORK - 1e-4, beside="linear")
    (group,) = with_margin(board(*rows), 0.2).groups
    assert group.first_network.rank == group.cheapest


@pytest.mark.parametrize(
    ("ends", "margin", "words"),
    [
        ((0.03, 0.01, 0.05), None, "is better by 0.030 [0.010, 0.050]"),
        ((-0.03, -0.05, -0.01), None, "is worse by 0.030 [0.010, 0.050]"),
        ((0.0, -0.02, 0.02), None, "cannot be told from it: better by 0 [-0.020, 0.020]"),
        ((-0.01, -0.03, 0.02), None, "cannot be told from it: worse by 0.010 [-0.020, 0.030]"),
        ((0.0, -0.02, 0.02), 0.02, "is not worse by more than 0.02: better by 0 [-0.020, 0.020]"),
        ((2.4, -0.9, 5.7), 1.0, "is not worse by more than 1: better by 2.4 [-0.9, 5.7]"),
    ],
)
def test_words(ends, margin, words):
    """A model is better, worse, not worse by more than a margin, or cannot be told."""
    assert words == beside_words(Beside("forest", "a", *ends), margin)


def test_note():
    """One note has all models."""
    rows = (
        member("a", NETWORK),
        member("a", MODEL, beside="forest"),
        member("a", OTHER, beside="linear"),
    )
    notes = [*choice_notes(board(*rows).groups[0], several=False)]
    (found,) = [note for note in notes if note.startswith("Beside the best network, a: ")]
    assert "forest is better by 0.099 [" in found
    assert "linear is worse by 0.109 [" in found


@pytest.mark.parametrize("lost", [0, 3])
def test_the_network_is_the_one_that_the_difference_is_to(lost):
    """On common seeds another network may be the best: it is named, with its own difference."""
    first, second, model = [0.9] * 3 + [0.7] * 3, [0.71, 0.74, 0.75] * 2, [0.8, 0.78, 0.81] * 2
    forest = member("a", model, beside="forest")
    forest = forest[0], forest[1][lost:]
    members = member("a", first, size=1), member("a", second, size=2), forest
    (group,) = board(*members).groups
    (found,) = group.beside
    compared = {"a size=1": np.array(first[lost:]), "a size=2": np.array(second[lost:])}
    best = max(compared, key=lambda name: compared[name].mean())
    assert best == found.network
    mean = np.mean(model[lost:]) - compared[best].mean()
    assert mean == pytest.approx(found.difference)
    (note,) = [note for note in choice_notes(group, several=False) if "Beside" in note]
    assert "Beside the best network, size 1: forest " in note
    assert (lost > 0) == ("size 2" in note)


@pytest.mark.parametrize(("gap", "said"), [(0.005, False), (0.016, True), (0.2, False)])
def test_a_network_that_is_dropped_is_said_beside_intervals_that_hold_zero(gap, said):
    """Between the quantiles of Student's t for one side and for two, the note says why.

    Of three differences with a standard error of 0.0046, these are 0.0135 and 0.0199.
    """
    network = np.array([0.70, 0.72, 0.69])
    model = network + np.array([gap - 0.008, gap, gap + 0.008])
    (group,) = board(member("a", network), member("a", model, beside="forest")).groups
    assert (said, gap == 0.005) == (
        group.beside[0].low <= 0 and not group.first_network.tied,
        group.first_network.tied,
    )
    text = " ".join(choice_notes(group, several=False))
    assert said == ("Its row is dropped all the same" in text)


def test_a_model_that_is_dropped_is_said_beside_an_interval_that_holds_zero():
    """Its row has no mark, and the interval alone would say that it is left."""
    network = np.array([0.70, 0.72, 0.69])
    model = network - np.array([0.016 - 0.008, 0.016, 0.016 + 0.008])
    (group,) = board(member("a", network), member("a", model, beside="forest")).groups
    assert group.beside[0].low < 0 < group.beside[0].high
    (row,) = [row for row in group.rows if not row.is_network]
    assert not row.tied
    text = " ".join(choice_notes(group, several=False))
    assert "The row of forest is dropped all the same" in text


@pytest.mark.parametrize("values", [OTHER, ()])
def test_failed(values):
    """A model without a completed run is named, beside others and alone."""
    lost = named("a", choice={"beside": "neighbors"}), [score(0, None, status="failed")]
    rows = [member("a", NETWORK), member("b", OTHER), lost]
    if len(values):
        rows.append(member("a", values, beside="linear"))
    notes = [*choice_notes(board(*rows).groups[0], several=False)]
    (found,) = [note for note in notes if note.startswith("Beside the best network, a: ")]
    assert found.endswith("neighbors has no completed run.")
    assert bool(len(values)) == ("linear is worse by" in found)


def test_read_again():
    """A leaderboard that was written reads as it was."""
    found = board(member("a", NETWORK), member("a", MODEL, beside="forest"))
    assert found == Leaderboard.from_dict(found.to_dict())


# One test of two rows that were chosen: p, interval, and what is assumed.

PAIR_RNG = np.random.default_rng(0)
FIRST, SECOND = PAIR_RNG.normal(0.8, 0.1, 6), PAIR_RNG.normal(0.7, 0.1, 6)


def pair_member(name, values, **changes):
    scores = [score(s, float(value)) for s, value in enumerate(values)]
    return named(name, seeds=range(len(scores)), **changes), scores


def test_rows_of_the_same_splits_are_paired():
    """SciPy's two-sided p and interval, the first row less the second, in the order asked for."""
    found = pair_test(pair_member("one", FIRST), pair_member("other", SECOND), "test")
    expected = ttest_rel(FIRST, SECOND)
    interval = expected.confidence_interval(0.95)
    assert expected.pvalue == pytest.approx(found.p, rel=1e-9)
    assert (interval.low, interval.high) == pytest.approx((found.low, found.high))
    assert (True, 6, "one", "other", "test accuracy") == (
        found.paired, found.n, found.first, found.second, found.metric,
    )  # fmt: skip
    assert "runs of one seed on one split" in found.assumed
    turned = pair_test(pair_member("other", SECOND), pair_member("one", FIRST), "test")
    assert -found.difference == turned.difference


def test_other_splits_are_welchs_test():
    """SciPy's, with all runs of both."""
    found = pair_test(pair_member("a", FIRST), pair_member("b", SECOND[:4], division="0.5"), "test")
    expected = ttest_ind(FIRST, SECOND[:4], equal_var=False)
    assert expected.pvalue == pytest.approx(found.p, rel=1e-9)
    assert (False, 6, 4) == (found.paired, found.n, found.n_second)
    assert "unpaired" in found.assumed


def test_splits_that_overlap_are_allowed_for():
    """The variance of the mean is s²·(1/n + 1/4), and the test says so."""
    rows = [pair_member(n, v, overlap={"test": 0.25}) for n, v in (("a", FIRST), ("b", SECOND))]
    found = pair_test(*rows, "test")
    d = FIRST - SECOND
    t = d.mean() / (d.std(ddof=1) * (1 / 6 + 0.25) ** 0.5)
    assert 2 * student.sf(abs(t), 5) == pytest.approx(found.p, rel=1e-9)
    assert "Nadeau and Bengio 2003" in found.assumed


def test_too_few_runs_or_no_noise():
    """A single run of either gives no test; a difference without noise has no p."""
    assert None is pair_test(pair_member("a", FIRST[:1]), pair_member("b", SECOND), "test")
    always = pair_test(pair_member("a", [0.5, 0.5]), pair_member("b", [0.4, 0.4]), "test")
    assert (None, 0.1) == (always.p, pytest.approx(always.difference))
    assert 1.0 == pair_test(pair_member("a", [0.5, 0.5]), pair_member("b", [0.5, 0.5]), "test").p


def test_a_pair_of_numbers_near_the_largest():
    """No square leaves the range of numbers."""
    found = pair_test(pair_member("a", [1e200, 3e200, 2e200]), pair_member("b", [0, 0, 0]), "test")
    assert 2e200 == pytest.approx(found.difference)
    assert 0 < found.p < 1


@pytest.mark.parametrize("division", ["1", "2"])
def test_a_pair_equal_but_for_rounding(division):
    """Equal means differ by 0, though their sums round differently."""
    one, other = np.array([[41, 42, 51, 58, 25], [58, 41, 42, 25, 51]]) / 60
    found = pair_test(pair_member("a", one), pair_member("b", other, division=division), "test")
    assert 0.0 == found.difference


def test_a_pair_with_the_same_difference_in_every_run():
    """It varies by rounding alone: there is nothing to test it by."""
    found = pair_test(pair_member("a", [0.9, 0.8, 0.7]), pair_member("b", [0.8, 0.7, 0.6]), "test")
    assert (None, found.low) == (found.p, found.high)


# Which rows of a leaderboard are compared, with which, how, and what is said of the others.

ERROR = {"metric": "mse", "larger_is_better": False}


def rows_of(*members):
    (group,) = make_leaderboard(progress(*members), "").groups
    return {row.name: row for row in group.rows}


def many(count, seeds=5, level=0.9, seed=0, **changes):
    """Rows that are equal but for noise."""
    values = np.random.default_rng(seed).normal(level, 0.01, size=(count, seeds))
    return [
        (
            named(f"row{k}", seeds=range(seeds), **changes),
            [score(s, value) for s, value in enumerate(line)],
        )
        for k, line in enumerate(values.tolist())
    ]


def test_of_twenty_equal_rows_most_may_be_the_best():
    """The first of them always, and each with an interval that holds no difference."""
    rows = [*rows_of(*many(20)).values()]
    assert ["paired"] * 20 == [row.comparison for row in rows]
    assert rows[0].tied
    assert all(row.tied == (row.p > 0.05) for row in rows)
    assert all(row.difference_low <= 0 <= row.difference_high for row in rows)
    assert sum(row.tied for row in rows) > 15


def test_a_row_that_is_far_behind_can_be_dropped():
    """Also among twenty, and with three seeds: the difference is in the metric's own units, and
    its interval ends at 0 on the side of the best.
    """
    far = many(1, seeds=3, level=0.1, seed=1)
    rows = rows_of(*many(19, seeds=3), (replace(far[0][0], name="far"), far[0][1]))
    assert ("paired", False) == (rows["far"].comparison, rows["far"].tied)
    assert -0.8 == pytest.approx(rows["far"].difference, abs=0.05)
    assert rows["far"].difference_low < rows["far"].difference < rows["far"].difference_high == 0
    behind = (named("far", **ERROR), [score(s, 1.7 + s / 100) for s in range(3)])
    errors = rows_of(*many(19, seeds=3, **ERROR), behind)
    assert 0 == errors["far"].difference_low < errors["far"].difference
    assert not errors["far"].tied


SINGLE = ("single", {"seeds": [7]}, [score(7, 0.2)], "a single run shows no spread", "?")
LOST = score(1, None, status="diverged")


@pytest.mark.parametrize(
    ("name", "changes", "scores", "note", "mark"),
    [
        SINGLE,
        ("diverged", {}, [score(0, 0.2), LOST, score(2, 0.3)], "1 of 3 runs diverged", ""),
        ("failed", {}, [score(0, 0.2), score(1, 0.3)], "1 of 3 runs failed", ""),
        ("odd", {}, [score(0, 0.2), score(1, None), score(2, 0.3)], "1 of 3 runs have no fin", ""),
        ("both", {}, [score(0, 0.2), LOST], "1 of 3 runs diverged; 1 of 3 runs failed; a sin", "?"),
        ("well", {}, [score(s, 0.2) for s in range(3)], None, ""),
    ],
)
def test_rows_say_which_runs_are_missing(name, changes, scores, note, mark):
    """In a field, in the CSV and below the table, and are compared by those that are left; of a
    single run there is nothing to compare, and it cannot be dropped.
    """
    board = make_leaderboard(
        progress((named(name, **changes), scores), *many(3, seeds=3)), "nnrun sweep"
    )
    row = {row.name: row for row in board.groups[0].rows}[name]
    text = leaderboard_markdown(board)
    assert ("not compared" if mark else "paired") == row.comparison
    assert bool(mark) == (row.p is None)
    assert row.tied or not mark
    shown = mark or ("*" if row.tied else "")
    place = f"| {row.rank} {shown}".rstrip().replace("*", r"\*")
    assert f"{place} | {name} |" in text
    assert bool(mark) == ("so that they cannot be dropped" in text)
    assert (note is None) == (row.note is None)
    if note is not None:
        assert row.note.startswith(note)
        assert f"{row.note}: {name}" in text
        assert row.note in leaderboard_csv(board)


def test_a_seed_that_was_run_twice_is_no_run_without_a_number():
    """It counts once, and there is nothing to note."""
    scores = [score(0, 0.2), score(0, 0.2), score(1, 0.3)]
    rows = rows_of((named("twice"), scores), *many(3, seeds=3))
    assert (2, None) == (rows["twice"].completed, rows["twice"].note)


@pytest.mark.parametrize(("metric", "widest"), [("accuracy", 1), ("mcc", 2)])
def test_differences_are_within_the_range_of_the_metric(metric, widest):
    """Few noisy runs of many rows have wider intervals, and no accuracies are so far apart."""
    values = np.random.default_rng(0).random((30, 3)).tolist()
    rows = [
        (named(f"n{k}", metric=metric), [*map(score, range(3), line)])
        for k, line in enumerate(values)
    ]
    model = (
        named("a", metric=metric, choice={"beside": "forest"}),
        [*map(score, range(3), values[0][::-1])],
    )
    (group,) = make_leaderboard(progress(*rows, model), "").groups
    assert -widest == min(row.difference_low for row in group.rows)
    assert widest == max(row.difference_high for row in group.rows)
    assert -widest == group.beside[0].low


def test_a_lucky_single_seed_leads_and_drops_nobody():
    """Its place is by what it did; others are compared with those that have a spread."""
    rows = rows_of((named("lucky", seeds=[0]), [score(0, 1.0)]), *many(3, seeds=3))
    assert (1, "not compared", True) == (
        rows["lucky"].rank, rows["lucky"].comparison, rows["lucky"].tied,
    )  # fmt: skip
    assert ["paired"] * 3 == [row.comparison for row in [*rows.values()][1:]]
    assert "not compared" == to_the_best(rows["lucky"])


def test_a_row_with_failed_runs_is_as_good_as_its_others():
    """What a worker could not train says nothing of the row: it may drop others."""
    left = [score(s, 0.95 + s / 1000) for s in range(4)]
    rows = rows_of((named("left", seeds=range(5)), left), *many(1))
    assert [True, False] == [row.tied for row in rows.values()]
    assert "1 of 5 runs failed" == rows["left"].note


def test_a_row_that_is_alone_may_be_the_best():
    """There is no other to compare it with, and its place has no mark."""
    board = make_leaderboard(progress(*many(1)), "")
    (row,) = board.groups[0].rows
    assert ("not compared", None, True) == (row.comparison, row.difference, row.tied)
    assert "| 1 | row0 |" in leaderboard_markdown(board)


def test_splits_that_differ_are_compared_without_pairs():
    """The row says so, and so does a line below the table."""
    other = named("other", seeds=range(5), division="0.5")
    members = [*many(3), (other, [score(s, 0.5 + s / 100) for s in range(5)])]
    assert "unpaired" == rows_of(*members)["other"].comparison
    assert "without pairing by seed" in leaderboard_markdown(
        make_leaderboard(progress(*members), "")
    )


def test_training_sets_that_overlap_make_differences_less_certain():
    """Rows that one split for all seeds tells apart are a tie where each seed draws its own."""
    apart = (0.025, 0.005, 0.02, 0.0, 0.02)
    for overlap, tied in ((0.0, False), (0.25, True)):
        changes = {"overlap": {"test": overlap}, "seeds": range(5), "metric": "mse"}
        members = (
            (named("a", **changes), [score(s, 0.90) for s in range(5)]),
            (named("b", **changes), [score(s, 0.90 - gap) for s, gap in enumerate(apart)]),
        )
        rows = rows_of(*members)
        assert tied == rows["b"].tied
    values = [0.5, 0.7, 0.6]
    plain, wide = summarize(values), summarize(values, overlap=0.25)
    assert 1.75**0.5 == pytest.approx(wide.half / plain.half)


def test_the_folder_of_the_best_run_is_named():
    """As commands take it."""
    scores = [score(s, 0.5 + s / 10)._replace(run_id=f"s{s}-abc") for s in range(3)]
    assert "a/s2-abc" == rows_of((named("a"), scores))["a"].best_run


def test_errors_at_the_end_of_the_range_of_numbers():
    """Means, intervals and differences are finite or left out, so that they can be written."""
    huge = [score(s, value) for s, value in enumerate([1e308, 1.5e308, 1.7e308])]
    board = make_leaderboard(
        progress((named("huge", **ERROR), huge), *many(3, seeds=3, **ERROR)), ""
    )
    row = board.groups[0].rows[-1]
    assert 1.4e308 == pytest.approx(row.test.mean)
    assert 1.4e308 == pytest.approx(row.difference)
    assert row.test.ci_high is None
    assert "huge" in leaderboard_markdown(board)
