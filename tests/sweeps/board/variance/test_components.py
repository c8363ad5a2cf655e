"""Means, standard errors and components of designs: by hand, by other formulas, in simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from nnrun.runs.record import Replicate
from nnrun.sweeps.board.means import half_interval, summarize
from nnrun.sweeps.board.variance import Design, estimate
from nnrun.sweeps.board.verdicts import design_of
from tests.sweeps.board.comparison.tables import plain

SPLITS, WEIGHTS = 5, 4
CROSSED = Design.of([(split, weights) for split in range(SPLITS) for weights in range(WEIGHTS)])
PARTS = ("split", "weights", "rest")


def crossed(tables, split, weights, rest, seed, shared=0.0, size=(SPLITS, WEIGHTS)):
    """Tables of results with these standard deviations: (tables, splits · weights)."""
    rng = np.random.default_rng(seed)
    j, k = size
    values = (
        shared * rng.normal(size=(tables, 1, 1))
        + split * rng.normal(size=(tables, j, 1))
        + weights * rng.normal(size=(tables, 1, k))
        + rest * rng.normal(size=(tables, j, k))
    )
    return values.reshape(tables, j * k)


def test_a_crossed_design_is_the_two_way_analysis_of_variance():
    """Its mean squares give the components, and the variance of the mean is their weighted sum."""
    values = crossed(1, 1.0, 0.7, 0.5, 1)[0]
    table = values.reshape(SPLITS, WEIGHTS)
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    rest = table - rows[:, None] - columns + table.mean()
    ms_rest = (rest**2).sum() / ((SPLITS - 1) * (WEIGHTS - 1))
    split = (WEIGHTS * rows.var(ddof=1) - ms_rest) / WEIGHTS
    weights = (SPLITS * columns.var(ddof=1) - ms_rest) / SPLITS
    found = estimate(values, CROSSED, 0.25)
    assert (split, weights, ms_rest) == pytest.approx([*map(float, found.components)])
    variance = split * (1 / SPLITS + 0.25) + weights / WEIGHTS + ms_rest / (SPLITS * WEIGHTS)
    assert variance**0.5 == pytest.approx(float(found.error))


def test_replicates_that_share_nothing_have_one_variance():
    """A plain design: s²·(1/n + n_test/n_train), and Student's t of n - 1 degrees."""
    values = np.random.default_rng(2).normal(size=8)
    found = estimate(values, plain(8), 0.25)
    assert (values.var(ddof=1) * (1 / 8 + 0.25)) ** 0.5 == pytest.approx(float(found.error))
    half = float(found.degrees.quantile(0.025) * found.error)
    assert half_interval(float(values.std(ddof=1)), 8, 0.25) == pytest.approx(half)
    assert student.isf(0.025, 7) == pytest.approx(float(found.degrees.quantile(0.025)))


@pytest.mark.parametrize("seeds", [1, 3])
def test_folds_are_the_corrected_repeated_cross_validation(seeds):
    """Bouckaert and Frank: s²·(1/(k·r) + 1/(k - 1)) with k·r - 1 degrees of freedom."""
    values = np.random.default_rng(3).normal(size=10 * seeds)
    replicates = [Replicate(seed, None, fold) for seed in range(seeds) for fold in range(1, 11)]
    design = design_of(replicate.resolved(drawn=True) for replicate in replicates)
    summary = summarize([*values], 1 / 9, design=design)
    error = values.std(ddof=1) * (1 / (10 * seeds) + 1 / 9) ** 0.5
    assert student.isf(0.025, 10 * seeds - 1) * error == pytest.approx(summary.half)


def test_splits_that_share_weights_are_told_from_them_between_seeds():
    """Where weights differ from seed to seed and each seed has splits of its own: the variance
    within seeds counts as that of splits, and what means of seeds differ by beyond it as weights.
    """
    values = np.random.default_rng(4).normal(size=(3, 10)) + np.array([[0.0], [2.0], [4.0]])
    design = Design.of([((seed, part), seed) for seed in range(3) for part in range(10)])
    found = estimate(values.ravel(), design, 1 / 9)
    within, between = values.var(axis=1, ddof=1).mean(), 10 * values.mean(axis=1).var(ddof=1)
    expected = within, (between - within) / 10, 0.0
    assert expected == pytest.approx([*map(float, found.components)])
    variance = within * (1 / 30 + 1 / 9) + (between - within) / 10 / 3
    assert variance**0.5 == pytest.approx(float(found.error))


def test_runs_on_one_split_vary_by_their_weights_alone():
    """No correction for splits that overlap applies, since there is a single one."""
    values = np.random.default_rng(5).normal(size=6)
    found = estimate(values, Design.of([("given", seed) for seed in range(6)]), 0.25)
    assert [0, 0, pytest.approx(values.var(ddof=1))] == [*map(float, found.components)]
    assert (values.var(ddof=1) / 6) ** 0.5 == pytest.approx(float(found.error))
    assert student.isf(0.025, 5) == pytest.approx(float(found.degrees.quantile(0.025)))


def test_components_are_recovered_in_simulation():
    """The mean of 4,000 tables is that of the truth within four standard errors.

    Seeds and tolerance are fixed beforehand: a mean square of d degrees of freedom varies by 2/d of
    its square. Of a component, which is at least 0, only an upper bound of its variance is used.
    """
    tables, truth = 4000, (1.0, 0.6, 0.8)
    found = estimate(crossed(tables, *truth, seed=42), CROSSED).components
    split, weights, rest = (deviation**2 for deviation in truth)
    mean_squares = WEIGHTS * split + rest, SPLITS * weights + rest, rest
    degrees = SPLITS - 1, WEIGHTS - 1, (SPLITS - 1) * (WEIGHTS - 1)
    variances = [2 * square**2 / d for square, d in zip(mean_squares, degrees, strict=True)]
    deviations = (
        ((variances[0] + variances[2]) / WEIGHTS**2) ** 0.5,
        ((variances[1] + variances[2]) / SPLITS**2) ** 0.5,
        variances[2] ** 0.5,
    )
    for part, expected, deviation in zip(found, (split, weights, rest), deviations, strict=True):
        # What is cut off at 0 moves the mean up by less than the chance of that times the spread.
        cut = float((part == 0).mean()) * deviation
        assert expected == pytest.approx(part.mean(), abs=4 * deviation / tables**0.5 + cut)


@pytest.mark.parametrize("size", [(5, 4), (10, 3), (3, 10), (10, 2), (2, 10)])
@pytest.mark.parametrize("truth", [(1, 0.3, 0.3), (0.3, 1, 0.3), (0.7, 0.7, 0.7), (0, 0, 1)])
def test_intervals_of_crossed_designs_hold(size, truth):
    """The mean of 2,000 tables is below its 95% bound in at most 5%, but for chance.

    What all splits of one data set share varies by n_test/n_train of what a split adds. The bound
    is that of 1 false alarm in 1,000 for all 20 cases. Seed 42 was fixed before looking.
    """
    tables = 2000
    values = crossed(tables, *truth, [42, *size], shared=0.5 * truth[0], size=size)
    design = Design.of([(j, k) for j in range(size[0]) for k in range(size[1])])
    found = estimate(values, design, 0.25)
    missed = found.mean < -found.degrees.quantile(0.05) * found.error
    assert missed.mean() < 0.05 + 3.9 * (0.05 * 0.95 / tables) ** 0.5


def test_a_missing_run_leaves_the_others_as_they_are():
    """The components come from the pairs that are left, and the mean from the runs."""
    values = crossed(1, 1.0, 0.7, 0.5, 6)[0]
    values[7] = np.nan
    found = estimate(values, CROSSED, 0.25)
    assert np.nanmean(values) == pytest.approx(float(found.mean))
    assert (19, 5, 4) == (found.layout.number, found.layout.splits, found.layout.weights)
    table = values.reshape(SPLITS, WEIGHTS)
    pairs = [
        (table[j, a] - table[j, b]) ** 2 / 2
        for j in range(SPLITS)
        for a in range(WEIGHTS)
        for b in range(a)
    ]
    same_split = float(found.components.weights + found.components.rest)
    assert np.nanmean(pairs) == pytest.approx(same_split)


def test_the_tail_is_where_the_quantile_is():
    """For designs with one part and with two."""
    values = crossed(50, 1.0, 1.0, 1.0, 7)
    for design in (CROSSED, plain(20)):
        degrees = estimate(values, design, 0.25).degrees
        for p in (0.05, 0.05 / 59):
            assert p == pytest.approx(degrees.tail(degrees.quantile(p)), rel=1e-6)


@pytest.mark.parametrize("replicates", [2, 3, 5, 7, 8, 9, 30])
def test_plain_replicates_have_the_bits_of_the_usual_formula(replicates):
    """Whether they are few or many, whole or with some missing in other lines."""
    values = np.random.default_rng(replicates).normal(size=(50, 4, replicates)) / 3
    rest = values - (values.sum(axis=-1) / replicates)[..., None]
    variance = replicates * (rest**2).sum(axis=-1) / (replicates * (replicates - 1))
    found = estimate(values, plain(replicates), 0.25)
    assert (values.sum(axis=-1) / replicates).tobytes() == found.mean.tobytes()
    assert variance.tobytes() == found.components.split.tobytes()
    gappy = np.concatenate([values, np.full((50, 1, replicates), np.nan)], axis=1)
    again = estimate(gappy, plain(replicates), 0.25)
    assert found.error.tobytes() == again.error[:, :4].tobytes()
    for one, other in zip(found.degrees, again.degrees, strict=True):
        assert np.array_equal(one, other[:, :4])


@pytest.mark.parametrize("design", [plain(9), CROSSED], ids=["plain", "crossed"])
def test_bits_do_not_depend_on_how_values_lie_in_memory(design):
    """Boards have the differences of rows by replicate."""
    values = np.random.default_rng(6).normal(size=(200, len(design.splits.alone)))
    expected = estimate(values, design)
    found = estimate(np.asfortranarray(values), design)
    for one, other in (
        (expected.mean, found.mean),
        (expected.error, found.error),
        *zip(expected.components, found.components, strict=True),
    ):
        assert one.tolist() == other.tolist()
