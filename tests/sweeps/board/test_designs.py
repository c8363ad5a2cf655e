"""Designs of comparisons, their statistics, and what a design could find."""

from __future__ import annotations

import csv
import io
from itertools import product
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from nnrun.config.yaml import Text, parse
from nnrun.reports.best import chosen_words
from nnrun.reports.leaderboard_files import leaderboard_csv, leaderboard_markdown
from nnrun.runs.catalog.summarize import summary_of
from nnrun.runs.storage.reading import list_runs
from nnrun.sweeps.board.best import best_of, chosen_config, config_yaml
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.means import mean_of, summarize, t_quantile
from nnrun.sweeps.board.power import SEEDS, smallest_on_these_data
from nnrun.sweeps.board.published import Size
from nnrun.sweeps.board.rows import Leaderboard
from nnrun.sweeps.board.stored import stored_boards, stored_variants
from nnrun.sweeps.board.variance import Components, numbers
from nnrun.sweeps.board.verdicts import pair_test
from tests.lab import CARS, data_of, invoke_well
from tests.simulations.best_of_table import most_by_chance
from tests.simulations.comparisons.designs import PARTS, crossed_dropped
from tests.simulations.power import covered, dropped, forecast
from tests.sweeps.board.boards import named, progress, score
from tests.sweeps.helpers import IRIS, run_inline

# Boards of crossed seeds and of folds: replicates of a row, what they show, and the choice.

RATES = "training.learning_rate=0.1,0.01"
CROSSED = IRIS + "sweep: {seeds: {split: 3, weights: 4}}\n"
FOLDS = IRIS.replace("iris,", "iris, folds: 4,")
REPEATED = FOLDS + "sweep: {seeds: 3}\n"
VISITS = """
dataset: {{path: {}, columns: {{target: y}}, split: {{by: group, column: patient}}}}
network: {{sizes: [3, 1], activations: [tanh, linear]}}
loss: mean_squared
training: {{iterations: 30}}
sweep: {{seeds: 4}}
"""


def crossed_row(name, level, noise, **changes):
    """Five seeds of splits by four of weights, as `(variant, scores)`."""
    variant = named(name, seeds=range(4), split_seeds=range(5), **changes)
    scores = [
        score(seed, level + float(noise[split, seed]))._replace(split_seed=split)
        for seed, split in product(range(4), range(5))
    ]
    return variant, scores


def folds_row(name, values, **changes):
    """Seeds by folds."""
    seeds, folds = values.shape
    variant = named(name, seeds=range(seeds), folds=folds, overlap={"test": 1 / (folds - 1)})
    scores = [
        score(seed, float(values[seed, fold]))._replace(fold=fold + 1)
        for seed, fold in product(range(seeds), range(folds))
    ]
    return variant, scores


def parts(seed, scale=0.01, split=1.0, weights=0.5, rest=0.5):
    rng = np.random.default_rng(seed)
    each = split * rng.normal(size=(5, 1)), weights * rng.normal(size=(1, 4))
    return scale * (each[0] + each[1] + rest * rng.normal(size=(5, 4)))


@pytest.fixture
def swept(write, plan, sweep, store):
    """Sweeps a config over two learning rates: the leaderboard, and the records of the runs."""

    def make(text, *words):
        run = run_inline(sweep(plan(write("mine", text), RATES, *words)))
        return make_leaderboard(run, "nnrun sweep"), [r.record for r in list_runs(store.root)]

    return make


@pytest.mark.parametrize(("text", "shared"), [(CROSSED, (4, 3)), (REPEATED, (12, 12))])
def test_stored_runs_make_the_same_board(swept, text, shared):
    """Rows are settings: neither a seed of a split nor a fold makes another one. Each fold has its
    own initial weights; crossed, each seed has the same on every split.
    """
    board, records = swept(text)
    (group,) = board.groups
    (stored,) = (found.group for found in stored_boards(stored_variants(map(summary_of, records))))
    assert [12, 12] == [row.completed for row in group.rows]
    for one, other in zip(group.rows, stored.rows, strict=True):
        assert (one.choice, one.tied, one.shares) == (other.choice, other.tied, other.shares)
        assert (one.mean, one.ci_low, one.ci_high) == (other.mean, other.ci_low, other.ci_high)
        assert (one.difference, one.p) == (other.difference, other.p)
    assert group.shown == stored.shown
    assert {shared} == {(row.weights, row.splits) for row in group.rows}
    assert board == Leaderboard.from_dict(board.to_dict())


def test_groups_of_unequal_sizes_make_the_same_board_from_stored_runs(swept, tmp_path):
    """Where each seed tests another number of rows, intervals allow for those of all its runs."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(12), np.arange(12) + 1)
    lines = [f"{rng.normal():.3f},p{each},{rng.normal():.3f}" for each in who]
    (tmp_path / "visits.csv").write_text("\n".join(["x,patient,y", *lines]) + "\n")
    board, records = swept(VISITS.format(tmp_path / "visits.csv"))
    (group,), (stored,) = board.groups, stored_boards(stored_variants(map(summary_of, records)))
    tested = [record.dataset["n_test"] for record in sorted(records, key=lambda r: r.seed)]
    assert tested[0] != np.mean(tested)
    ours, theirs = (
        [(row.mean, row.ci_low, row.ci_high, row.difference_low, row.p) for row in found.rows]
        for found in (group, stored.group)
    )
    assert theirs == ours


def test_shares_of_the_spread_are_in_every_form():
    """Of the split, the weights and both: with a sum of 1 in the row and the CSV, and in words."""
    board = make_leaderboard(progress(crossed_row("a", 0.8, parts(1))), "")
    shares = board.groups[0].rows[0].shares
    assert ["split", "weights", "both"] == [*shares]
    assert 1 == pytest.approx(sum(shares.values()))
    (line,) = csv.DictReader(io.StringIO(leaderboard_csv(board)))
    assert [*map(str, shares.values())] == [
        line[f"{source}_share"] for source in ("split", "weights", "both")
    ]
    text = leaderboard_markdown(board)
    split, weights = (f"{100 * shares[key]:.0f}%" for key in ("split", "weights"))
    assert f"{split} comes from the split, {weights} from the weights" in text
    assert f"| {split.rstrip('%')}/{weights.rstrip('%')}/" in text


def test_boards_of_seeds_alone_say_nothing_of_shares():
    """A seed that draws everything does not show where the spread comes from."""
    values = [score(s, 0.5 + s / 10) for s in range(3)]
    board = make_leaderboard(progress((named("a"), values), (named("b"), values)), "")
    assert [None, None] == [row.shares for row in board.groups[0].rows]
    assert "comes from the split" not in leaderboard_markdown(board)


def test_rows_of_crossed_seeds_are_paired_by_both():
    """What splits and weights do to all rows alike cancels: a small difference is certain."""
    noise, own = parts(2), parts(3, scale=1e-4)
    changes = {"overlap": {"test": 0.25}}
    members = (
        crossed_row("a", 0.80, noise, **changes),
        crossed_row("b", 0.79, noise + own, **changes),
    )
    board = make_leaderboard(progress(*members), "")
    rows = {row.name: row for row in board.groups[0].rows}
    assert ["paired", "paired"] == [row.comparison for row in rows.values()]
    assert [True, False] == [rows["a"].tied, rows["b"].tied]
    test = pair_test(*members, "test")
    assert (True, 20) == (test.paired, test.n)
    assert 2 * rows["b"].p == pytest.approx(test.p)
    assert test.low < 0.01 - own.mean() < test.high


def test_two_rows_of_folds_are_the_corrected_cross_validation_test():
    """Of one seed: Student's t with k - 1 degrees and s²·(1/k + 1/(k - 1))."""
    rng = np.random.default_rng(4)
    one, other = rng.normal(0.8, 0.02, (1, 10)), rng.normal(0.79, 0.02, (1, 10))
    test = pair_test(folds_row("a", one), folds_row("b", other), "test")
    d = (one - other)[0]
    t = d.mean() / (d.std(ddof=1) * (1 / 10 + 1 / 9) ** 0.5)
    assert 2 * student.sf(abs(t), 9) == pytest.approx(test.p)
    assert "1/n + 0.11 times" in test.assumed


@pytest.mark.parametrize(
    ("size", "words", "larger"),
    [
        (Size(5), "5 seeds", ["10 seeds", "20 seeds"]),
        (Size(3, None, 10), "10 folds × 3 seeds", ["10 folds × 6 seeds", "10 folds × 12 seeds"]),
        (Size(1, None, 10), "10 folds", ["10 folds × 2 seeds", "10 folds × 4 seeds"]),
        (Size(1, 5), "5 splits", ["10 splits", "20 splits"]),
        (Size(6, 1), "6 seeds", ["12 seeds", "24 seeds"]),
        (
            Size(4, 5),
            "5 splits × 4 seeds of weights",
            [
                "10 splits × 4 seeds of weights",
                "5 splits × 8 seeds of weights",
                "10 splits × 8 seeds of weights",
            ],
        ),
    ],
)
def test_what_it_would_take_speaks_of_the_design(size, words, larger):
    """Of seeds, splits or folds, and of what could be more."""
    assert words == size.words
    assert larger == [one.words for one in size.larger()]


def test_the_line_below_the_board_names_the_design():
    """With the smallest difference that it could show."""
    rng = np.random.default_rng(5)
    rows = [folds_row(name, rng.normal(0.8, 0.02, (3, 5))) for name in "ab"]
    text = leaderboard_markdown(make_leaderboard(progress(*rows), ""))
    assert "With 5 folds × 3 seeds, a row that is worse by " in text
    assert " of 5 sweeps. With 5 folds × 12 seeds, " in text
    assert "ordered by 5 folds" in text
    noise = [crossed_row(name, 0.8, parts(seed)) for seed, name in enumerate("ab")]
    text = leaderboard_markdown(make_leaderboard(progress(*noise), ""))
    assert " of 5 sweeps. With 10 splits × 8 seeds of weights, " in text


@pytest.mark.parametrize("text", [CROSSED, REPEATED])
def test_the_best_run_is_the_median_of_all_runs_of_its_row(swept, store, text):
    """Of all seeds, splits and folds; of an even number, the worse of the middle two."""
    board, records = swept(text)
    choice = best_of(store.root, "mine")
    row = board.groups[0].rows[0]
    own = [
        record.metrics["test"]["accuracy"]
        for record in records
        if record.config["training"]["learning_rate"] == row.choice["training.learning_rate"]
    ]
    assert 12 == len(own)
    assert sorted(own)[5] == choice.record.metrics["test"]["accuracy"]
    assert row.mean == choice.row.mean


def test_the_best_setting_of_folds_trains_on_all_rows(swept, store):
    """Under a name of its own, and a command that took a fold says how."""
    swept(REPEATED)
    choice = best_of(store.root, "mine")
    config = chosen_config(choice)
    whole = {key: config["dataset"][key] for key in ("folds", "fold", "test_size")}
    assert {"folds": None, "fold": None, "test_size": 0} == whole
    assert ("mine-final", choice.record.seed) == (config["name"], config["seed"])
    assert config == parse(Text(config_yaml(chosen_config(choice)), "best.yaml")).data
    told = "\n".join(chosen_words(choice, store.root))
    assert "trained without the rows of one of 4 folds" in told
    results = f"--results {store.root}"
    assert f"nnrun best mine --final {results}" in told
    told = "\n".join(chosen_words(choice, Path("results"), {"--by": "test", "--order-by": None}))
    assert "nnrun best mine --by test --final" in told


def test_folds_and_drawn_splits_are_two_boards(swept):
    """Their numbers are of training sets of other sizes."""
    swept(FOLDS)
    _, records = swept(IRIS)
    found = stored_boards(stored_variants(map(summary_of, records)))
    assert {None, 4} == {board.group.folds for board in found}


@pytest.mark.parametrize("parts", [*PARTS])
def test_crossed_seeds_keep_the_best_row_and_drop_worse_ones(parts):
    """In at least 95% of 250 tables, whatever the spread comes from, but for 1 false alarm in 1,000
    for all three; of rows worse by two standard deviations half are dropped with 10 splits. The
    random numbers are those of seed 42, fixed before looking.
    """
    best, worse = crossed_dropped(8, (10, 5), PARTS[parts], 250)
    assert best <= most_by_chance(250, 3) / 250
    assert worse > 0.5


# Means and intervals against numbers worked out by hand or from printed tables.


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


# `nnrun sweep --dry-run --power`: what several numbers of seeds would find.

GRID = "training.learning_rate=0.1,0.01"
SWEEP = ("sweep", "cars.yaml", GRID)


@pytest.mark.parametrize(("rows", "overlap", "seeds"), [(2, 0.25, 5), (2, 0.0, 40), (10, 0.5, 10)])
def test_the_difference_is_found_in_four_of_five_sweeps(rows, overlap, seeds):
    """By the board's own code: as often as chance allows in 99.9% of such tests."""
    gap = forecast(1.0, seeds, rows, overlap)
    share = dropped(gap, seeds, rows, overlap, 500, np.random.default_rng(0))
    low, high = binom.interval(0.999, 500, 0.8)
    assert low <= 500 * share <= high


def test_the_interval_is_that_of_the_pilots_spread():
    """It holds the forecast by the true variance for 95% of pilots."""
    low, high = binom.interval(0.999, 2000, 0.95)
    assert low <= 2000 * covered(3, 2000, np.random.default_rng(0)) <= high


def test_a_split_that_all_runs_share_needs_no_allowance():
    """The variance of the weights alone decides, regardless of the overlap."""
    components = Components(*numbers(0.0, 0.0, 1.0))
    one, other = (smallest_on_these_data(components, Size(10, 1), 2, o) for o in (0.0, 0.5))
    assert one == other == pytest.approx(forecast(1.0, 10, 2, 0.0))


def test_a_pilot_is_asked_for_with_its_command(lab):
    """One with three seeds; the command makes what the forecast goes by."""
    lab.begin({"cars.yaml": CARS}, "sweep cars.yaml training.learning_rate=0.1,0.01 --seeds 2")
    said = lab.refused(*SWEEP, "--seeds", "20", "--dry-run", "--power")
    command = said.splitlines()[-1].split()
    assert ["nnrun", *SWEEP, "--seeds", "3"] == command
    lab.ok(*command[1:])
    lab.ok(*SWEEP, "--seeds", "20", "--dry-run", "--power")


def test_power_is_that_of_the_stored_runs(lab):
    """By the spread of the paired differences, whichever seeds they have; others do not count."""
    lab.begin(
        {"cars.yaml": CARS},
        "sweep cars.yaml training.learning_rate=0.1,0.01 seed=7,11,13,17",
        "train cars.yaml seed=7",
    )
    runs = [run for run in data_of("ls", "cars") if run["seed"] != 7 or "learning_rate" in str(run)]
    (power,) = data_of(*SWEEP, "--dry-run", "--power")["power"]
    assert ("mse", "test", 2, 2, 4) == tuple(
        power[key] for key in ("metric", "ordered_by", "settings", "pilot", "pilot_seeds")
    )
    assert [*SEEDS] == [row["seeds"] for row in power["smallest"]]
    values = {}
    for run in runs:
        rate = data_of("show", f"cars/{run['run_id']}")["config"]["training"]["learning_rate"]
        values.setdefault(rate, {})[run["seed"]] = run["test"]
    pairs = np.array([values[0.1][seed] - values[0.01][seed] for seed in (7, 11, 13, 17)])
    first = power["smallest"][0]
    overlap = 79 / 313
    assert first["difference"] == pytest.approx(
        forecast(pairs.var(ddof=1), 5, 2, overlap), rel=0.01
    )
    assert first["low"] < first["difference"] < first["high"]
    times = [row["estimated_seconds"] for row in power["smallest"]]
    assert times == sorted(times)


def test_settings_have_three_seeds_in_common(lab):
    """Others are left out, and count for the level of the test all the same."""
    one, other = (f"sweep cars.yaml training.learning_rate={rate} seed=" for rate in (0.1, 0.01))
    lab.begin({"cars.yaml": CARS}, f"{one}1,2,3", f"{other}2,3,4")
    assert "with at least 3 seeds in common" in lab.refused(*SWEEP, "--dry-run", "--power")
    lab.ok(*f"{other}1,2,3".split())
    three = ("sweep", "cars.yaml", f"{GRID},0.05", "--dry-run", "--power")
    few, more = (data_of(*words)["power"][0] for words in ((*SWEEP, "--dry-run", "--power"), three))
    lab.ok("sweep", "cars.yaml", "training.learning_rate=0.05", "seed=1,2")
    assert more == data_of(*three)["power"][0] | {"smallest": more["smallest"]}
    assert (2, 3, 3) == (more["pilot"], more["settings"], more["pilot_seeds"])
    assert few["smallest"][0]["difference"] < more["smallest"][0]["difference"]


def test_power_needs_a_dry_run_and_two_settings(lab):
    """Each is said."""
    lab.begin({"cars.yaml": CARS})
    assert "add --dry-run" in lab.refused(*SWEEP, "--power")
    one = lab.refused("sweep", "cars.yaml", "--dry-run", "--power")
    assert "this sweep has a single one" in one


def test_the_table_has_a_row_for_each_number_of_seeds(lab):
    """The difference with its interval and the time, and what they stand on."""
    lab.begin({"cars.yaml": CARS}, "sweep cars.yaml training.learning_rate=0.1,0.01 --seeds 3")
    shown = invoke_well(*SWEEP, "--dry-run", "--power").out
    table = shown.partition("found in 4 of 5 sweeps")[2]
    starts = [line.split()[0] for line in table.splitlines() if line.strip()]
    assert [str(seeds) for seeds in SEEDS] == [word for word in starts if word in map(str, SEEDS)]
    assert "By stored runs of 2 of 2 settings with 3 seeds" in table
