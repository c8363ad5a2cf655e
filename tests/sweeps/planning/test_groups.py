"""Blocks that differ in numbers alone: settings and problems are those of each alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from nnrun.sweeps.planning.grid.numbers import is_usual

from nnrun.config.schema.network import LayerConfig, LossConfig
from nnrun.config.schema.training import OptimizerConfig, ScheduleConfig
from nnrun.errors import ConfigError
from nnrun.nn.schedules import SCHEDULES
from nnrun.sweeps.planning.grid import axes
from tests.sweeps.helpers import BOSTON, IRIS, words_of
from tests.sweeps.planning.test_families import LAYERS, numbers_of

OPTIMIZER, RATE, NETWORK = "training.optimizer", "training.learning_rate", "network"
NORM = {"type": "batch_norm"}
SOFTMAX = {"activations": ["tanh", "softmax"]}
# The largest and the smallest number that need no check of their own.
LARGEST, SMALLEST = 3.4e38, 1e-44


def required(block):
    """Values for the keys that a block of a table needs, by the key."""
    return {
        key: 3 if field.annotation is int else 0.4
        for key, field in block.model_fields.items()
        if field.is_required() and key != block.key
    }


def around(layer):
    """A network with this layer."""
    first, last = ({"type": "dense", "units": units} for units in (4, 3))
    softmax = {"type": "activation", "name": "softmax"}
    return {"layers": [first, layer, last, softmax]}


def entries():
    """A config, a key, and blocks that differ in one number, for each number of the tables."""
    for name, key, default in numbers_of(OptimizerConfig.blocks):
        yield IRIS, OPTIMIZER, [{"type": name, key: each} for each in (0.75, default or 0.5, 0.25)]
    for name, key, default in numbers_of(LossConfig.blocks):
        text = BOSTON.replace("loss: mean_squared", f"loss: {name}")
        yield text, "loss", [{"type": name, key: each} for each in (default, 0.375, 0.25)]
    for name, key, default in numbers_of(LayerConfig.blocks):
        layers = [{"type": name, key: each} for each in (0.75, 0.25, default or 0.5)]
        yield LAYERS % "{type: bias}", NETWORK, [around(layer) for layer in layers]
    for name, block in ScheduleConfig.blocks.items():
        first = {"schedule": name, **required(block)}
        for key, value in first.items():
            if isinstance(value, float):
                yield IRIS, RATE, [{**first, key: each} for each in (0.3, 0.2, 1)]


# By what they vary: a config, the values of a grid, and how many settings of it are checked.
TOGETHER = {
    "optimizers and schedules": (
        IRIS,
        {
            OPTIMIZER: [{"type": "adam", "beta1": b} for b in (0.9, 0.8, 0.7)],
            RATE: [{"schedule": "cosine", "initial": i, "final": i / 9} for i in (0.1, 1, 2.5)],
        },
        1,
    ),
    "values of several kinds": (
        IRIS,
        {
            RATE: [
                0.1,
                {"schedule": "step", "every": 5, "initial": 0.1},
                {"schedule": "step", "every": 5, "initial": 0.2, "factor": 0.5},
                0.2,
                {"schedule": "step", "every": 6, "initial": 0.2},
                {"schedule": "step", "every": 5, "initial": 0.1, "factor": 0.1},
            ],
            OPTIMIZER: ["sgd", {"type": "sgd"}, {"type": "sgd", "momentum": 0.5}, "adam"],
        },
        9,
    ),
    "networks of several sizes": (
        IRIS,
        {NETWORK: [{"sizes": [units, 3], **SOFTMAX} for units in (4, 90, 7, 7.0, 4)]},
        2,
    ),
    "networks of several sizes and rates": (
        IRIS,
        {
            NETWORK: [
                {
                    "layers": [
                        {"type": "dense", "units": units, "activation": "relu"},
                        {"type": "dropout", "rate": rate},
                        {"type": "dense", "units": 3, "activation": "softmax"},
                    ]
                }
                for units, rate in [(4, 0.1), (90, 0.2), (7, 0.3), (7, 0.1), (4, 0.2)]
            ],
            "training.iterations": [20, 90, 60],
        },
        4,
    ),
    "two sizes": (IRIS, {NETWORK: [{"sizes": [u, 3], **SOFTMAX} for u in (4, 90)]}, 2),
    "sizes of two layers": (
        LAYERS % "{type: dense, units: 4}",
        {
            NETWORK: [
                {"sizes": [a, b, 3], "activations": ["tanh", "tanh", "softmax"]}
                for a, b in [(4, 4), (5, 4), (6, 5), (4, 6)]
            ]
        },
        4,
    ),
    "a number of a schedule": (
        IRIS.replace("0.05", "{schedule: exponential, every: 9, initial: 1}"),
        {f"{RATE}.initial": [0.1, 0.2, 0.3], OPTIMIZER: ["sgd", "adam"]},
        2,
    ),
    "numbers of 0": (
        IRIS,
        {OPTIMIZER: [{"type": "sgd", "momentum": each} for each in (0, 0.5, 0.6, 0)]},
        2,
    ),
    "folds": (
        IRIS,
        {"dataset.folds": [3], OPTIMIZER: [{"type": "adam", "beta1": b} for b in (0.9, 0.8)]},
        1,
    ),
    "a factor that may rise": (
        IRIS.replace("0.05", "{schedule: exponential, every: 9, initial: 1}"),
        {f"{RATE}.factor": [0.1, 0.2, 1.5], f"{RATE}.initial": [0.1, 0.2]},
        6,
    ),
    "a factor above 1": (
        IRIS,
        {RATE: [{"schedule": "step", "every": 9, "factor": 2, "initial": i} for i in (0.1, 0.2)]},
        2,
    ),
    "a key within": (
        IRIS,
        {
            OPTIMIZER: [{"type": "sgd", "momentum": each} for each in (0.4, 0.5)],
            f"{OPTIMIZER}.weight_decay": [0.1, 0.2],
        },
        4,
    ),
    "initializers": (
        IRIS,
        {
            "network.initializer": [
                {"type": "uniform", "scale": each} if each else "zeros" for each in (0.1, 0.2, 0)
            ]
        },
        3,
    ),
}


@pytest.mark.parametrize("entry", [*entries()], ids=lambda entry: json.dumps(entry[2][0]))
def test_blocks_of_each_number_of_the_tables(plan, write, same_alone, checked, entry):
    """One is checked; the others have the configs and identities that each has alone."""
    text, key, blocks = entry
    file, grid = write("net", text), {key: blocks}
    made = plan(file, *words_of(grid))
    assert 1 == len(checked)
    same_alone(made, file, grid)


@pytest.mark.parametrize(("text", "grid", "checks"), TOGETHER.values(), ids=TOGETHER.keys())
def test_settings_are_those_planned_alone(plan, write, same_alone, checked, text, grid, checks):
    """With their choices as they were given."""
    file = write("net", text)
    made = plan(file, *words_of(grid))
    assert checks == len(checked)
    same_alone(made, file, grid)
    for variant in made.variants:
        assert all(value in grid[key] for key, value in variant.choice.items())


# Keys of a block, and others in their place that make the same setting here.
WEIGHTS = {"setosa": 1, "virginica": 2}
IN_TWO_WAYS = [
    ({}, {"watch": True}),
    ({}, {"augment": {}}),
    ({}, {"augment": {"noise": 0}}),
    ({}, {"evaluate_every": 3}),
    ({}, {"evaluate_rows": "all"}),
    ({"class_weight": WEIGHTS}, {"class_weight": dict(reversed(WEIGHTS.items()))}),
]


@pytest.mark.parametrize("ways", IN_TWO_WAYS, ids=json.dumps)
@pytest.mark.parametrize("rates", [(0.1, 0.5), (0.5, 0.2)], ids=["first again", "another again"])
def test_a_setting_that_is_written_in_two_ways_is_one(plan, write, same_alone, ways, rates):
    """And none of those that differ from it only in numbers is lost, or there twice."""
    file = write("net", IRIS)
    blocks = [
        {"learning_rate": rate, "iterations": 60, **more}
        for more, own in zip(ways, ((0.1, 0.2), rates), strict=True)
        for rate in own
    ]
    grid = {"training": blocks}
    assert 3 == len(same_alone(plan(file, *words_of(grid)), file, grid))


@pytest.mark.parametrize("key", ["iterations", "epochs"])
@pytest.mark.parametrize("among", [[], [0], [5]], ids=["each has one", "none first", "none last"])
def test_blocks_have_the_length_of_the_argument(plan, write, key, among):
    """With `--iterations`, those that differ in length alone are one setting, or have none."""
    file = write("net", IRIS)
    pairs = [(0.1, 2), (0.1, 3), (0.1, 4), (0.2, 4), (0.3, 2)]
    blocks = [{"learning_rate": rate, key: length} for rate, length in pairs]
    for place in among:
        blocks.insert(place, {"learning_rate": 0.1})
    made = plan(file, *words_of({"training": blocks}), iterations=5)
    trained = [json.loads(variant.config)["training"] for variant in made.variants]
    assert [0.1, 0.2, 0.3] == [block["learning_rate"] for block in trained]
    assert {(5, None)} == {(block["iterations"], block["epochs"]) for block in trained}
    assert {5} == {variant.estimate.iterations for variant in made.variants}


HALVING = '''
import numpy as np
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import PositiveFloat
from nnrun.plugins import register

@register("schedule", "halving")
class Halving(Schedule):
    """η(t) = initial / 2^⌊t / 10⌋."""

    def __init__(self, initial: PositiveFloat) -> None:
        self.initial = initial

    def rates(self, t, total):
        return self.initial * 0.5 ** np.floor(t / 10)
'''


@pytest.mark.parametrize(
    "grid",
    [
        {RATE: [{"schedule": "halving", "initial": each} for each in (0.1, 0.2)]},
        {OPTIMIZER: [{"type": "adam", "beta1": b} for b in (0.9, 0.8)]},
        {f"{RATE}.initial": [0.1, 0.2]},
    ],
)
def test_values_beside_plugins_are_checked_one_by_one(
    plan, write, same_alone, checked, with_plugin, grid
):
    """What a plugin refuses is unknown."""
    with_plugin(HALVING)
    file = write("net", IRIS.replace("0.05", "{schedule: halving, initial: 1}"))
    made = plan(file, *words_of(grid))
    assert len(checked) >= 2
    same_alone(made, file, grid)


def test_numbers_of_plans_differ_where_values_are_given_twice(plan, write):
    """Also after a grid whose blocks were checked one by one."""
    blocks = [{"type": "adam", "beta1": each} for each in (0.9, 0.9, 0.8)]
    batches = [2, 5, 8, 2]  # their last rows must be known
    net = IRIS.replace("{sizes: [4, 3], activations: [tanh, softmax]}", json.dumps(around(NORM)))
    files = [write(name, net) for name in ("one", "other")]
    made = plan(*files, *words_of({OPTIMIZER: blocks, "training.batch_size": batches}))
    assert 12 == len(made) == len({variant.number for variant in made.variants})


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("number", [SMALLEST, 1.0, LARGEST])
@pytest.mark.parametrize("largest", [SMALLEST, 0.5, LARGEST])
def test_rates_of_schedules_stay_finite(name, number, largest):
    """Of any numbers, factors above 1 apart: this is why schedules are checked together."""
    assert is_usual(number)
    block = ScheduleConfig.blocks[name]
    given = {"schedule": name, **required(block)}
    for index, key in enumerate(k for k, f in block.model_fields.items() if "float" in str(f)):
        given[key] = largest if index % 2 else number
    for key in ("factor", "rise"):
        if key in given:
            given[key] = min(given[key], 0.99)
    schedule = block.model_validate(given).build()
    t = np.unique(np.geomspace(1, 1e15, 10_000).round()) - 1
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        for total in (1, 7, 10**6, 10**15):
            assert np.isfinite(schedule.rates(t[t < total], total)).all()


# By the mistake: a config, the values of a grid, and the number of problems.
WRONG = {
    "the classes": (IRIS, {NETWORK: [{"sizes": [4, c], **SOFTMAX} for c in (2, 3, 4, 5)]}, 3),
    "sizes": (IRIS, {NETWORK: [{"sizes": [c, 2], **SOFTMAX} for c in (2, 3, 4)]}, 1),
    "a value twice": (
        IRIS,
        {NETWORK: [{"sizes": [c, 3], "activations": ["tanh", "relu"]} for c in (4, 4, 5, 4.0)]},
        1,
    ),
    "no values of their keys": (
        IRIS,
        {OPTIMIZER: [{"type": "adam", "beta1": b} for b in (0.1, 1.5, "x", 0.2, -1)]},
        3,
    ),
    "lost in float32": (
        IRIS.replace("batch_size: 8", "batch_size: 8, dtype: float32"),
        {OPTIMIZER: [{"type": "adam", "epsilon": e} for e in (1e-8, 1e-60, 1e-9, 1e-70)]},
        2,
    ),
    "no batch of one row": (
        LAYERS.replace("batch_size: 8", "batch_size: 1") % "{type: bias}",
        {NETWORK: [around({"type": "batch_norm", "momentum": m}) for m in (0.1, 0.2)]},
        1,
    ),
    "rates that overflow": (
        IRIS,
        {
            RATE: [
                {"schedule": "step", "initial": i, "every": 1, "factor": 1e9} for i in (1, 1e-300)
            ]
        },
        1,
    ),
    "rates of one network": (
        IRIS,
        {
            RATE: [{"schedule": "cosine", "initial": i} for i in (1, 2, 3)],
            "training.batch_size": [8, 500],
        },
        1,
    ),
}


@pytest.mark.parametrize(("text", "grid", "count"), WRONG.values(), ids=WRONG.keys())
def test_problems_are_those_of_each_alone(plan, write, monkeypatch, text, grid, count):
    """Of arguments, each once, with the values that cause it together; of a file, each value's."""
    file = write("net", text)
    own = write("own", f"{text}sweep: {json.dumps({'grid': grid})}\n")

    def refused(*words):
        with pytest.raises(ConfigError) as caught:
            plan(*words)
        return caught.value.problems, caught.value.exit_code

    together = [refused(file, *words_of(grid)), refused(own)]
    monkeypatch.setattr(axes, "_BLOCKS", ())
    monkeypatch.setattr(axes, "may_join", lambda *_: False)
    assert [refused(file, *words_of(grid)), refused(own)] == together
    assert count == len(together[0][0])
