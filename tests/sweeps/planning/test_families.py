"""Settings that are made from a checked one are those that loading them would give."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from nnrun.config.load import load_config
from nnrun.config.schema.network import LayerConfig, LossConfig
from nnrun.config.schema.training import OptimizerConfig
from nnrun.errors import ConfigError
from nnrun.runs.preparation import prepare as preparation
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps.planning import texts, variants
from tests.sweeps.helpers import BOSTON, IRIS, run_inline

LAYERS = """
dataset: {name: iris, features: standard}
network:
  layers:
    - {type: dense, units: 8}
    - %s
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 60, batch_size: 8}
"""
# Few training rows make a hundred updates, most of them more than a thousand.
EPOCHS = """
dataset: {name: iris, features: standard}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, epochs: 10}
"""


def numbers_of(blocks):
    """Each entry of a table with each of its arguments that is a floating point number."""
    return [
        (name, key, field.default)
        for name, block in blocks.items()
        for key, field in block.model_fields.items()
        if isinstance(field.default, float)
    ]


def grids():
    """A config and a key for every number that may be a family."""
    yield IRIS, "training.learning_rate", [0.1, 0.2, 1]
    yield IRIS, "training.clip_norm", ["null", 1.0, 2.5]
    for name, key, default in numbers_of(OptimizerConfig.blocks):
        text = IRIS.replace("batch_size: 8", f"batch_size: 8, optimizer: {name}")
        yield text, f"training.optimizer.{key}", [*{default, 0.75, 0.25}]
    for name, key, default in numbers_of(LossConfig.blocks):
        yield (
            BOSTON.replace("loss: mean_squared", f"loss: {name}"),
            f"loss.{key}",
            [*{default, 0.5}],
        )
    for name, key, default in numbers_of(LayerConfig.blocks):
        yield LAYERS % f"{{type: {name}}}", f"network.layers.1.{key}", [*{default, 0.75, 0.25}]


@pytest.mark.parametrize("grid", [*grids()], ids=lambda grid: grid[1])
def test_a_member_is_what_loading_gives(plan, write, grid):
    """Its config, run id and estimates, for every number of the config language."""
    text, key, values = grid
    file = write("net", text)
    made = plan(file, f"{key}={','.join(map(str, values))}")
    assert len(values) == len(made) == len([*made.variants])
    assert len(made.families) < len(values)
    for value, variant in zip(values, made.variants, strict=True):
        prepared = prepare(load_config(file, [f"{key}={value}"]))
        assert {None: prepared.identity} == variant.identities
        assert prepared.config_dict == json.loads(variant.config)
        assert {key: None if value == "null" else value} == variant.choice


@pytest.mark.parametrize("length", ["iterations: 60", "epochs: 37"])
@pytest.mark.parametrize("folds", ["", "dataset.fold=2,3"])
def test_a_member_has_the_folds_that_loading_gives(plan, write, length, folds):
    """Run ids of all folds, whose epochs differ in length, or of those named by the grid."""
    file = write("iris", IRIS.replace("iterations: 60", length))
    words = [*folds.split(), "dataset.folds=7", "training.learning_rate=0.1,0.2,0.3"]
    made = plan(file, *words)
    fold_numbers = [2, 3] if folds else range(1, 8)
    expected = [
        prepare(
            load_config(
                file,
                [f"training.learning_rate={rate}", "dataset.folds=7", f"dataset.fold={fold}"],
            )
        ).run_id
        for rate in (0.1, 0.2, 0.3)
        for fold in fold_numbers
    ]
    assert expected == [run.run_id for variant in made.variants for run in variant.runs()]
    assert 1 == len(made.families)
    assert len(expected) == len(made)


def test_members_are_in_the_order_of_the_product(plan, write):
    """Whatever is checked alone, a board lists settings as the config does."""
    made = plan(write("iris"), "training.learning_rate=0.1,0.2,0.3", "training.batch_size=4,8")
    rates = [variant.choice["training.learning_rate"] for variant in made.variants]
    sizes = [variant.choice["training.batch_size"] for variant in made.variants]
    assert [0.1, 0.1, 0.2, 0.2, 0.3, 0.3] == rates
    assert [4, 8, 4, 8, 4, 8] == sizes
    assert [*range(6)] == [variant.number for variant in made.variants]
    assert {run.run_id for run in made.runs()} == {
        run.run_id for variant in made.variants for run in variant.runs()
    }


@pytest.mark.parametrize("kept", [1, 1024])
def test_families_take_turns(plan, write, monkeypatch, kept):
    """Each has texts of its own, also where few of them are kept."""
    monkeypatch.setattr(texts, "_MOST_KEPT", kept)
    file = write("iris")
    words = ["training.learning_rate", "training.optimizer", "training.clip_norm"]
    made = plan(file, *map("{}={}".format, words, ("0.2,0.1", "sgd,adam", "1.0,2.0,0.5")))
    assert 2 == len(made.families)
    for variant in made.variants:
        given = [f"{key}={variant.choice[key]}" for key in words]
        prepared = prepare(load_config(file, given))
        assert {None: prepared.identity} == variant.identities
        assert prepared.config_dict == json.loads(variant.config)


@pytest.mark.parametrize(
    ("words", "prepared"),
    [
        (["training.learning_rate=0.1,0.2,0.3,0.4"], 1),
        (["training.learning_rate=0.1,0.2", "training.optimizer.momentum=0,0.5,0.9"], 2),
        (["training.batch_size=4,8", "training.learning_rate=0.1,0.2,0.3"], 2),
        (["training.optimizer=sgd,adam", "training.optimizer.weight_decay=0.1,0.2"], 4),
        (["training.optimizer.type=sgd,adam", "training.optimizer.weight_decay=0.1,0.2"], 4),
    ],
)
def test_what_is_checked(plan, write, monkeypatch, words, prepared):
    """One of the numbers that no check depends on, and each combination of all others."""
    checked = []

    def counted(*arguments, **more):
        checked.append(arguments)
        return preparation.prepare(*arguments, **more)

    monkeypatch.setattr(variants, "prepare", counted)
    made = plan(write("iris"), *words)
    assert prepared == len(checked)
    assert len(made) == len({variant.identities[None] for variant in made.variants})


@pytest.mark.parametrize(
    ("key", "values", "column", "message"),
    [
        ("training.learning_rate", "[0.1, -1, 0.2]", 35, "-1 is not a number greater than 0 or"),
        ("training.optimizer.epsilon", "[1e-8, 1e-60]", 40, "1.0e-60 is 0 in float32;"),
    ],
)
def test_numbers_that_need_their_own_check(plan, write, key, values, column, message):
    """Invalid ones, and those that float32 does not have, at their own place in the config."""
    float32 = IRIS.replace("batch_size: 8", "batch_size: 8, dtype: float32, optimizer: adam")
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", f"{float32}sweep:\n  grid:\n    {key}: {values}\n"))
    (problem,) = caught.value.problems
    assert (9, column) == (problem.place.line, problem.place.column)
    assert problem.message.startswith(message)


def test_a_large_grid_is_planned_from_one_check(plan, write):
    """The count is known, and settings are made when they are needed."""
    rates = [round(0.1 + number / 1e6, 6) for number in range(5000)]
    made = plan(write("iris", f"{IRIS}sweep: {{grid: {{training.learning_rate: {rates}}}}}\n"))
    assert (5000, 1) == (len(made), len(made.families))
    assert 0.1 == next(made.runs()).variant.choice["training.learning_rate"]
    assert rates[4321] == next(islice(made.variants, 4321, None)).choice["training.learning_rate"]


def test_settings_have_the_engines_of_single_runs(plan, sweep, write, store):
    """Of epochs of different lengths, whichever was trained first in the same worker."""
    file = write("iris", EPOCHS)
    sizes, engines = (140, 0.2), []
    made = plan(file, f"dataset.test_size={sizes[0]},{sizes[1]}", "training.learning_rate=0.1,0.2")
    assert 4 == run_inline(sweep(made)).trained
    for size in sizes:
        words = [f"dataset.test_size={size}", "training.learning_rate=0.2"]
        run = prepare(load_config(file, words))
        report = json.loads((store.folder("iris", run.run_id) / "report.json").read_text())
        assert run.engine == report["engine"]
        engines.append(run.engine)
    assert ["numpy", "compiled"] == engines
