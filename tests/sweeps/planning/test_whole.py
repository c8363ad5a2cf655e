"""Whole numbers that are checked at their ends: settings and problems are those of each alone."""

from __future__ import annotations

import json
from itertools import product

import pytest

from nnrun.config.load import load_config
from nnrun.errors import ConfigError
from nnrun.runs.preparation import memory
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps.planning.estimate import estimate
from nnrun.sweeps.planning.grid import axes
from nnrun.sweeps.planning.shard import Shard
from tests.sweeps.helpers import words_of

NET = """
dataset: {name: iris, features: standard, validation_size: 0.2}
network:
  layers:
    - {type: dense, units: 6}
    - {type: batch_norm}
    - {type: activation, name: tanh}
    - {type: dropout, rate: 0.1}
    - {type: dense, units: 5, activation: relu}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training:
  learning_rate: {schedule: warmup_cosine, peak: 0.05, warmup: 20}
  iterations: 60
  batch_size: 8
  early_stopping: {patience: 4}
"""
PLAIN = NET.replace("{type: batch_norm}", "{type: dropout}")
RATES = "warmup_cosine, peak: 0.05, warmup: 20"
IMAGES = """
dataset: {name: digits}
network:
  layers:
    - {type: conv2d, channels: 3, bias: per_position}
    - {type: batch_norm}
    - {type: activation, name: relu}
    - {type: max_pool2d}
    - {type: conv2d, channels: 4, activation: relu}
    - {type: bias}
    - {type: flatten}
    - {type: matmul, units: 8}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.01, iterations: 20, batch_size: 8}
"""
LARGE = """
dataset: {path: rows.csv, columns: {target: price}, test_size: 0.4}
network: {sizes: [4, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, epochs: 2, batch_size: 32}
"""
UNITS, MORE = "network.layers.0.units", "network.layers.4.units"
ITERATIONS, EPOCHS, BATCHES = "training.iterations", "training.epochs", "training.batch_size"
PATIENCE = "training.early_stopping.patience"
# By what they vary: a config, the values of a grid, and how many settings of it are checked.
JOINED = {
    "two layers": (NET, {UNITS: [1, 70, 9], MORE: [5, 4, 300]}, 4),
    "iterations": (NET, {ITERATIONS: [7, 60, 61.0, 1000, 60.0], PATIENCE: [5, 1, 30]}, 4),
    "epochs and batches": (PLAIN, {EPOCHS: [1, 3, 40], BATCHES: [1, 7, 89, 16]}, 4),
    "folds": (PLAIN, {"dataset.folds": [3], BATCHES: [1, 7, 20], ITERATIONS: [1, 2, 900]}, 4),
    "evaluations of a part": (LARGE, {EPOCHS: [1, 2, 500], BATCHES: [16, 64, 300]}, 4),
    "beside other keys": (
        PLAIN,
        {
            "training.optimizer": ["sgd", {"type": "adam", "beta1": 0.8}],
            UNITS: [3, 4, 5, 200],
            "training.learning_rate": [0.1, 0.2, 0.3],
            "training.dtype": ["float64", "float32"],
        },
        8,
    ),
    "one engine": (
        PLAIN.replace("batch_size: 8", "batch_size: 8\n  engine: compiled"),
        {UNITS: [2, 3, 4], BATCHES: [1, 2, 3], ITERATIONS: [1, 20, 30]},
        8,
    ),
    "channels": (
        IMAGES,
        {
            "network.layers.0.channels": [1, 3, 40],
            "network.layers.4.channels": [2, 40, 11],
            "network.layers.7.units": [2, 3, 400],
        },
        8,
    ),
    "a layer of any kind after the next": (
        PLAIN.replace("- {type: dropout, rate: 0.1}", "- {type: residual, layers: [{type: bias}]}"),
        {MORE: [2, 3, 4]},
        2,
    ),
}


@pytest.fixture
def config(write):
    """Writes a config beside its rows."""

    def make(text):
        file = write("net", text)
        rows = "".join(f"{k % 97},{k % 89},{k % 13}\n" for k in range(25_000))
        file.with_name("rows.csv").write_text(f"a,b,price\n{rows}")
        return file

    return make


@pytest.mark.parametrize(("text", "grid", "checks"), JOINED.values(), ids=JOINED.keys())
def test_settings_between_are_those_planned_alone(
    plan, config, same_alone, checked, text, grid, checks
):
    """With their configs, the identity of each fold, and their parameters; the ends are checked."""
    file = config(text)
    made = plan(file, *words_of(grid))
    assert checks == len(checked)
    different = {key: [*{json.dumps(v): v for v in each}.values()] for key, each in grid.items()}
    for one, variant in same_alone(made, file, different):
        assert one.estimate.seconds / 3 < variant.estimate.seconds < 3 * one.estimate.seconds
        assert one.estimate.memory <= made.memory
        assert one.metrics == variant.metrics
    assert made.seconds == pytest.approx(sum(v.estimate.seconds * v.planned for v in made.variants))


@pytest.mark.parametrize("engine", ["auto", "numpy", "compiled"])
@pytest.mark.parametrize("length", [ITERATIONS, EPOCHS])
def test_ends_have_their_own_estimates(plan, config, length, engine):
    """And all lengths have. Between, parameters are exact where two layers grow together."""
    file = config(PLAIN.replace("batch_size: 8", f"batch_size: 8\n  engine: {engine}"))
    grid = {
        UNITS: [2, 30, 400],
        MORE: [3, 50, 600],
        length: [1, 3, 20, 50_000],
        BATCHES: [1, 8, 64],
    }
    for variant in plan(file, *words_of(grid)).variants:
        one = prepare(load_config(file, words_of({k: [v] for k, v in variant.choice.items()})))
        assert one.network.size == variant.estimate.parameters
        others = [(key, value) for key, value in variant.choice.items() if key != length]
        if all(value in (grid[key][0], grid[key][-1]) for key, value in others):
            assert estimate(one).seconds == pytest.approx(variant.estimate.seconds)


def test_long_runs_come_first(plan, config):
    """Of settings that are checked together, so that shards take about as long."""
    made = plan(
        config(PLAIN),
        f"{UNITS}=range(100,1000,100)",
        f"{ITERATIONS}=1000,100000,200000",
        "training.learning_rate=0.1,0.2",
    )
    assert 1 == len(made.families)
    seconds = [run.variant.estimate.seconds for run in made.runs()]
    assert sorted(seconds, reverse=True) == seconds
    parts = [[*type(made)(made.variants, made.families, Shard(k, 3)).runs()] for k in (1, 2, 3)]
    assert {run.run_id for run in made.runs()} == {run.run_id for part in parts for run in part}
    sums = [sum(run.variant.estimate.seconds for run in part) for part in parts]
    assert max(sums) - min(sums) <= seconds[0]


# By why whole numbers are checked one by one: a config and the values of a grid.
APART = {
    "two values": (PLAIN, {UNITS: [2, 9]}),
    "a sum with what a layer gets": (
        PLAIN.replace("- {type: dropout, rate: 0.1}", "- {type: residual, layers: [{type: bias}]}"),
        {UNITS: [2, 3, 4]},
    ),
    "batches of single rows": (NET, {BATCHES: [2, 4, 7]}),
    "batches of single rows in one of two networks": (
        PLAIN,
        {"network.layers.1": [{"type": "dropout"}, {"type": "batch_norm"}], BATCHES: [2, 4, 7]},
    ),
    "equal to a default": (
        PLAIN,
        {"training.evaluate_every": [None, 3], ITERATIONS: [20, 60, 80]},
    ),
    "a schedule of a plugin": (
        PLAIN.replace(RATES, "halving"),
        {ITERATIONS: [20, 40, 60]},
    ),
}
HALVING = '''
import numpy as np
from nnrun.nn.schedules import Schedule
from nnrun.plugins import register

@register("schedule", "halving")
class Halving(Schedule):
    """η(t) = 0.1 / 2^⌊t / 10⌋."""

    def rates(self, t, total):
        return 0.1 * 0.5 ** np.floor(t / 10)
'''


@pytest.mark.parametrize("why", APART)
def test_what_is_checked_one_by_one(plan, config, alone, checked, with_plugin, why):
    """Where a value between two valid ones may be invalid, or equal another setting."""
    with_plugin(HALVING)
    text, grid = APART[why]
    file = config(text)
    made = plan(file, *words_of(grid))
    assert len(checked) >= len(made)
    one_by_one = [alone(file, variant.choice) for variant in made.variants]
    different = {
        repr(alone(file, dict(zip(grid, values, strict=True))).identities)
        for values in product(*grid.values())
    }
    assert different == {repr(one.identities) for one in one_by_one}
    assert len(made) == len(different)
    for one, variant in zip(one_by_one, made.variants, strict=True):
        assert (one.identities, one.estimate) == (variant.identities, variant.estimate)


# By the mistake: a config, the values of a grid, and the number of problems.
WRONG = {
    "more than the rows": (PLAIN, {BATCHES: [1, 8, 97, 500]}, 2),
    "the classes": (PLAIN, {"network.layers.5.units": [2, 3, 4, 5]}, 3),
    "no whole numbers": (PLAIN, {ITERATIONS: [0, 2, 5.5, 7, "x", 9]}, 3),
    "memory": (PLAIN, {UNITS: [2, 3, 10**9, 4], MORE: [10**8, 3, 4]}, 6),
    "rates of long runs": (
        PLAIN.replace(
            "warmup_cosine, peak: 0.05, warmup: 20", "step, initial: 1, every: 1, factor: 2"
        ),
        {ITERATIONS: [10, 1000, 5000, 6000], BATCHES: [1, 2, 3]},
        1,
    ),
    "a last batch of one row": (NET, {BATCHES: [2, 5, 4]}, 1),
    "one optimizer": (
        PLAIN.replace("batch_size: 8", "batch_size: 8\n  dtype: float32"),
        {"training.optimizer": ["sgd", {"type": "adam", "epsilon": 1e-60}], UNITS: [2, 3, 4]},
        1,
    ),
}


@pytest.mark.parametrize(("text", "grid", "count"), WRONG.values(), ids=WRONG.keys())
def test_problems_are_those_of_each_alone(plan, config, monkeypatch, text, grid, count):
    """Each once, at its place, with the values that cause it together."""
    monkeypatch.setattr(memory, "available_memory", lambda: 10**10)
    file = config(text)
    with pytest.raises(ConfigError) as joined:
        plan(file, *words_of(grid))
    assert count == len(joined.value.problems)
    monkeypatch.setattr(axes, "may_join", lambda *_: False)
    with pytest.raises(ConfigError) as apart:
        plan(file, *words_of(grid))
    assert apart.value.problems == joined.value.problems
    assert apart.value.exit_code == joined.value.exit_code


def test_problems_of_one_config_leave_those_of_another(plan, write):
    """Also where the first is planned twice."""
    first, second = write("first", PLAIN), write("second")
    with pytest.raises(ConfigError) as caught:
        plan(first, second, f"{BATCHES}=1,2,300", "seed=3")
    assert 2 == len(caught.value.problems)


def test_a_large_grid_is_checked_at_its_ends(plan, config, checked):
    """As many settings as there may be: the count is known, and they are made when needed."""
    file = config(PLAIN.replace("batch_size: 8", "batch_size: 8\n  engine: numpy"))
    made = plan(file, f"{UNITS}=range(1,201)", f"{ITERATIONS}=range(1,501)")
    assert (4, 1, 100_000) == (len(checked), len(made.families), len(made))
    choice = next(made.runs()).variant.choice
    assert {UNITS: 200, ITERATIONS: 500} == choice
