"""`nnrun sweep --dry-run --power`: what several numbers of seeds would find."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from nnrun.sweeps.board.power import SEEDS, smallest_on_these_data
from nnrun.sweeps.board.published import Size
from nnrun.sweeps.board.variance import Components, numbers
from tests.lab import CARS, data_of, invoke_well
from tests.simulations.power import covered, dropped, forecast

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
