"""The choice of the best: margins, components of variance, arithmetic."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import t as student

from nnrun.reports.leaderboard_files import leaderboard_markdown
from nnrun.runs.record import Replicate
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.means import half_interval, summarize
from nnrun.sweeps.board.published import Shown, Size, smallest_difference
from nnrun.sweeps.board.rows import Leaderboard, with_margin
from nnrun.sweeps.board.variance import Components, Design, estimate, numbers
from nnrun.sweeps.board.verdicts import design_of
from tests.simulations.comparisons.tables import over_data_sets
from tests.sweeps.board.boards import named, plain, progress, score
from tests.sweeps.helpers import BOSTON

# Regressions: boards whose notes on choosing were wrong.

DRAWN = {"overlap": {"test": 0.25}}


def member(name, values, **changes):
    scores = [score(s, float(value)) for s, value in enumerate(values)]
    return named(name, seeds=range(len(scores)), **DRAWN, **changes), scores


def normal(mean, sd, n, order):
    """Values with exactly this mean and standard deviation, in an order drawn from a seed."""
    values = ndtri((np.arange(n) + 0.5) / n)
    values = mean + sd * (values - values.mean()) / values.std(ddof=1)
    return np.random.default_rng(order).permutation(values)


def settings():
    """24 settings with 8 seeds, from 0.95 down to 0.90, and one at 0.87 that is worse in each."""
    rng = np.random.default_rng(42)
    split = rng.normal(0, 0.02, size=8)
    levels = [*np.linspace(0.95, 0.90, 23), 0.87]
    return [
        member(f"s{k:02}", level + split + rng.normal(0, 0.006, size=8))
        for k, level in enumerate(levels)
    ]


def test_of_24_settings_the_worse_ones_can_be_dropped():
    """With 8 seeds that draw their splits; the last, which is worse in every seed, among them, and
    the ones that are close to the best not.
    """
    board = make_leaderboard(progress(*settings()), "")
    rows = {row.name: row for row in board.groups[0].rows}
    first, *_, last = rows.values()
    assert "s23" == last.name
    assert (True, False) == (first.tied, last.tied)
    assert last.p < 0.05
    assert all(rows[name].tied for name in ("s00", "s01", "s02"))
    assert 8 < sum(not row.tied for row in rows.values()) < 22
    text = leaderboard_markdown(board)
    assert "With 8 seeds, a row that is worse by 0.0" in text


def test_an_untrained_network_can_be_dropped():
    """Of mse 3.65 ± 1.35 and 7.05 ± 1.91 over 10 seeds, which draw their splits, the worse one is
    no candidate, with a difference that is at most so large.
    """
    error = {"metric": "mse", "larger_is_better": False}
    trained = member("trained", normal(3.65, 1.35, 10, 1), **error)
    untrained = member("untrained", normal(7.05, 1.91, 10, 2), **error)
    board = make_leaderboard(progress(untrained, trained), "")
    best, worse = board.groups[0].rows
    assert ("trained", True, False) == (best.name, best.tied, worse.tied)
    assert 3.4 == pytest.approx(worse.difference)
    assert 0 == worse.difference_low < worse.difference < worse.difference_high
    assert r"| 1 \* | trained | 3.6 ± 1.8 | 1.4 | 10 |" in leaderboard_markdown(board)


def test_two_boards_of_other_data_are_distinguished():
    """Each with what can be dropped of it, by the name of its data."""
    other = [
        member(f"w{k}", normal(0.5 + k / 5, 0.01, 5, k), dataset="wine", sha256="2") for k in (0, 1)
    ]
    text = leaderboard_markdown(make_leaderboard(progress(*settings()[:2], *other), ""))
    assert "- **digits:** 2 of 2 may be the best" in text
    assert "- **wine:** best of 2 is w1" in text


# Rows that are as good as the best to within a margin, the cheapest of them, and the design.

SIZES = {"large": 5000, "small": 50, "medium": 500}


def variance(split=0.0, weights=0.0, rest=0.0):
    return Components(*numbers(split, weights, rest))


def board(level=0.0, sign=1, **changes):
    """Three networks that are equal but for 0.0001, and one that is worse by 0.1."""
    noise = np.array([0.0, 0.001, -0.001, 0.0005, -0.0005])
    members = []
    for index, (name, size) in enumerate(SIZES.items()):
        variant = named(name, seeds=range(5), **changes)
        values = 0.5 + level + sign * (0.0001 * index + np.roll(noise, index))
        scores = [score(s, v, parameters=size) for s, v in enumerate(values.tolist())]
        members.append((variant, scores))
    poor = named("poor", seeds=range(5), **changes)
    scores = [score(s, 0.5 - sign * 0.1 + s / 1e4, parameters=5) for s in range(5)]
    members.append((poor, scores))
    return make_leaderboard(progress(*members), "")


@pytest.mark.parametrize("changes", [{}, {"metric": "mse", "larger_is_better": False, "sign": -1}])
def test_the_cheapest_row_within_the_margin_is_named(changes):
    """In parameters; rows that are worse by more than the margin are not among them, though they
    may be cheaper.
    """
    found = with_margin(board(**changes), 0.01).groups[0]
    good = {row.name: row.as_good for row in found.rows}
    assert {"large": True, "small": True, "medium": True, "poor": False} == good
    cheapest = next(row for row in found.rows if row.rank == found.cheapest)
    assert ("small", 50) == (cheapest.name, cheapest.parameters)
    text = leaderboard_markdown(with_margin(board(**changes), 0.01))
    assert "As good as the best to within 0.01, at 95%: " in text
    assert "The cheapest of these is small (50 parameters, 2.00 s)." in text


def test_of_equal_parameters_the_faster_is_the_cheapest():
    """Time decides where parameters do not."""
    group = board().groups[0]
    rows = [replace(row, parameters=7, seconds=9.0 - row.rank) for row in group.rows]
    found = with_margin(Leaderboard("", [replace(group, rows=rows)]), 0.01).groups[0]
    assert 3 == found.cheapest


def test_a_margin_that_the_seeds_cannot_show_names_no_row():
    """Nor does a board without one say anything of margins."""
    text = leaderboard_markdown(with_margin(board(), 1e-6))
    assert "No row is known to be as good as the best to within 1e-06" in text
    plain = board()
    assert plain == with_margin(plain, None)
    assert "As good" not in leaderboard_markdown(plain)
    assert [None] * 4 == [row.as_good for row in plain.groups[0].rows]


def test_a_board_with_a_margin_is_read_back():
    """With the margin, the cheapest row and what the design could show."""
    found = with_margin(board(), 0.01)
    assert found == Leaderboard.from_dict(found.to_dict())
    assert "5 seeds" == found.groups[0].shown.design


@pytest.mark.parametrize("part", ["group", "row", "summary", "shown"])
def test_a_board_with_an_unknown_key_is_not_read(part):
    """Another version has written it, whatever part it is in."""
    content = with_margin(board(), 0.01).to_dict()
    group = content["groups"][0]
    row = group["rows"][0]
    parts = {"group": group, "row": row, "summary": row["test"], "shown": group["shown"]}
    parts[part]["colour"] = "red"
    with pytest.raises(ValueError, match="colour"):
        Leaderboard.from_dict(content)


def test_what_more_seeds_would_show_is_a_line_below_the_board():
    """The smallest difference with these seeds and four times as many, and the limit."""
    text = leaderboard_markdown(board())
    assert "With 5 seeds, a row that is worse by " in text
    assert "is dropped in 4 of 5 sweeps. With 20 seeds, " in text
    assert "10 seeds" not in text
    assert "No number of seeds gets below" not in text
    drawn = board(overlap={"test": 0.25}).groups[0].shown
    assert ["10 seeds", "20 seeds"] == [*drawn.larger]
    twice, four_times = drawn.larger.values()
    assert drawn.difference > twice > four_times > drawn.limit > 0
    assert "No number of seeds gets below" in leaderboard_markdown(board(overlap={"test": 0.25}))


def test_no_difference_is_named_that_the_metric_cannot_have():
    """Few seeds of accuracies that vary much show none; of errors any may be there."""
    shown = Shown("2 seeds", 7.5, {"4 seeds": 2.0, "8 seeds": 0.92}, 0.6)
    group = replace(board().groups[0], shown=shown)
    text = leaderboard_markdown(Leaderboard("", [group]))
    assert "With 2 seeds, even a row that is worse by 1.0, the most there can be, " in text
    assert "With 8 seeds, 0.92 is enough. No number of seeds gets below 0.60." in text
    none = replace(group, shown=replace(shown, larger={"8 seeds": 1.5}, limit=1.2))
    text = leaderboard_markdown(Leaderboard("", [none]))
    assert "is enough" not in text
    assert "No number of seeds" not in text
    of_errors = replace(group, metric="mse", larger_is_better=False)
    text = leaderboard_markdown(Leaderboard("", [of_errors]))
    assert "With 2 seeds, a row that is worse by 7.5 is dropped in 4 of 5 sweeps." in text


@pytest.mark.parametrize(("seeds", "overlap"), [(5, 0.0), (10, 0.25), (20, 1 / 9)])
def test_the_smallest_difference_is_found_four_times_in_five(seeds, overlap):
    """Of two rows of normal noise, in simulation: 80% of tables drop the worse one."""
    rng = np.random.default_rng([42, seeds])
    gap = smallest_difference(variance(split=2.0), Size(seeds), 2, overlap)
    x = over_data_sets((4000, 2, seeds), rng, overlap=overlap)
    d = x[:, 1] - x[:, 0] - gap
    error = d.std(axis=1, ddof=1) * (1 / seeds + overlap) ** 0.5
    share = (d.mean(axis=1) / error < student.ppf(0.05, seeds - 1)).mean()
    assert 0.8 == pytest.approx(share, abs=0.03)


def test_no_number_of_seeds_shows_less_than_the_limit():
    """It is what ever more seeds come to."""
    many = smallest_difference(variance(split=1.0), Size(10**7), 20, 0.25)
    assert many == pytest.approx(smallest_difference(variance(split=1.0), None, 20, 0.25), rel=1e-3)
    assert 0 == smallest_difference(variance(split=1.0), None, 20, 0.0)


# Runs of one sweep on unlike machines: it is said which, where their bits depend on it.


@pytest.fixture
def on_two_machines(write, wide, monkeypatch, slow_workers):
    """Two seeds by workers with one kernel of OpenBLAS, then three more by those with another."""

    def sweep(engine: str) -> str:
        path = write("houses", BOSTON)
        for kernel, seeds in (("Prescott", "0,1"), ("Haswell", "0,1,2,3,4")):
            monkeypatch.setenv("OPENBLAS_CORETYPE", kernel)
            words = (f"training.engine={engine}", f"seed={seeds}", "-j", "2")
            code, out, errors = wide("sweep", path, *words)
            assert (0, True) == (code, bool(out)), errors
        return out

    return sweep


def the_row() -> dict[str, object]:
    return json.loads(Path("results/leaderboard.json").read_text())["groups"][0]["rows"][0]


def test_runs_with_another_kernel_are_marked(on_two_machines, wide) -> None:
    """At the end, in every form of the leaderboard, and where the runs are compared."""
    out = on_two_machines("numpy")
    assert "5 ≠" in out
    assert "≠ marks rows with runs of other arithmetic than most" in out
    assert "houses (2 of 5)" in out
    assert [2] == list(the_row()["elsewhere"].values())
    assert "5 ≠" in Path("results/leaderboard.md").read_text()
    assert "elsewhere" in Path("results/leaderboard.csv").read_text().splitlines()[0]
    _, out, _ = wide("compare", "houses/s0", "houses/s4", "--json")
    assert 2 == len(set(json.loads(out)["results"]["arithmetic"]))


def test_the_compiled_engine_is_the_same_on_all(on_two_machines, wide) -> None:
    """It calls no BLAS: nothing is marked."""
    assert "≠" not in on_two_machines("compiled")
    assert {} == the_row()["elsewhere"]
    _, out, _ = wide("compare", "houses/s0", "houses/s4", "--json")
    assert "arithmetic" not in json.loads(out)["results"]


# Means, standard errors and components of designs: by hand, by other formulas, in simulation.

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
