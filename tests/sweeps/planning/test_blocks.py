"""Settings that are put together from blocks of others are those that loading them would give."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product

import pytest

from nnrun.config.load import load_config
from nnrun.config.several import parse_grid
from nnrun.errors import ConfigError
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps.planning.estimate import estimate
from nnrun.sweeps.planning.grid import combinations as made
from tests.sweeps.helpers import IRIS

UNITS, BATCHES = "network.layers.0.units=2,70", "training.batch_size=1,4"
VALID = {
    "networks outermost": [UNITS, BATCHES],
    "networks innermost": [BATCHES, UNITS],
    "one block": [UNITS, "network.layers.0.activation=tanh,relu", "seed=7"],
    "data": ["dataset.test_size=0.1,30", "dataset.features=standard,none", "loss=cross_entropy"],
    "everything": [
        "dataset.test_size=0.1,40",
        "network.layers.0.activation=tanh,relu",
        "training.dtype=float64,float32",
        "training.clip_norm=null,1.0,2.0",
        "training.class_weight=null,balanced",
        "sweep.order_by=loss",
    ],
    "folds": ["dataset.folds=3", "network.layers.0.units=2,3", "training.batch_size=4,8"],
}


@pytest.mark.parametrize("words", VALID.values(), ids=VALID.keys())
def test_a_setting_is_what_loading_gives(plan, write, words):
    """Its config, identity and estimate, for keys of one block and of several, in any order."""
    file = write("iris")
    for variant in plan(file, *words).variants:
        fixed = [word for word in words if word.partition("=")[0] not in variant.choice]
        chosen = [f"{key}={json.dumps(value)}" for key, value in variant.choice.items()]
        alone = prepare(load_config(file, [*fixed, *chosen]))
        assert alone.config_dict == json.loads(variant.config)
        assert alone.identity == next(iter(variant.identities.values()))
        assert estimate(alone) == variant.estimate
        assert alone.metrics == variant.metrics


def test_paths_are_relative_to_the_config_in_every_setting(plan, write, tmp_path, monkeypatch):
    """A block of data that is validated alone names the file that the whole config names."""
    data = "dataset: {path: rows.csv, columns: {target: price}, test_size: 0.5}"
    network = "network: {sizes: [1], activations: [linear]}\nloss: mean_squared"
    file = write("rows", f"{data}\n{network}\ntraining: {{learning_rate: 0.1, iterations: 9}}\n")
    rows = file.with_name("rows.csv")
    rows.write_text("a,price\n" + "".join(f"{k},{k}\n" for k in range(40)))
    monkeypatch.chdir(tmp_path)
    variants = plan(file, "dataset.test_size=0.1,0.2,0.3").variants
    paths = [json.loads(variant.config)["dataset"]["path"] for variant in variants]
    assert [str(rows)] * 3 == paths


def test_iterations_of_the_command_line_hold_in_every_setting(plan, write):
    """Also where the grid changes the block that they are in."""
    variants = plan(write("iris"), "training.batch_size=1,2,4", iterations=7).variants
    lengths = [json.loads(variant.config)["training"]["iterations"] for variant in variants]
    assert [7, 7, 7] == lengths


@pytest.mark.parametrize(
    ("words", "blocks"),
    [
        ([UNITS, BATCHES], {"network": 1, "training": 1}),  # the first of both is that of the base
        (
            [UNITS, BATCHES, "dataset.test_size=0.1,0.2"],
            {"network": 1, "training": 1, "dataset": 1},
        ),
        ([UNITS, "network.layers.0.activation=tanh,relu"], {"network": 3}),
        (["training.learning_rate.over=10,20"], {"training": 1}),
        (["sweep.order_by=loss", "training.batch_size=1,4"], {"training": 1}),
    ],
)
def test_how_often_a_config_is_validated(plan, write, monkeypatch, words, blocks):
    """As a whole before the grid and with its first values; then each block once, alone."""
    whole, alone = [], []
    load_content, load_block = made.load_content, made.load_block
    monkeypatch.setattr(made, "load_content", lambda *a: whole.append(a) or load_content(*a))
    monkeypatch.setattr(made, "load_block", lambda *a: alone.append(a[1]) or load_block(*a))
    rate = "learning_rate: {schedule: cosine, initial: 0.1}"
    plan(write("iris", IRIS.replace("learning_rate: 0.05", rate)), *words)
    assert 2 == len(whole)
    assert blocks == Counter(alone)


# Each of these values is valid with the others' first ones, but not with all of them.
CONTRADICTING = [
    (
        ["dataset.validation_size=0.2,0", "training.early_stopping=null,{patience: 3}"],
        [" (with validation_size=0, early_stopping={patience: 3})"],
    ),
    (
        ["dataset.test_size=0.2,0.5", "training.batch_size=4,8,100"],
        [" (with test_size=0.5, batch_size=100)"],
    ),
    (["training.batch_size=4,8", "network.layers.1.units=3,4,5"], []),
    (
        ["training.optimizer=adam,{type: adam, epsilon: 1e-60}", "training.dtype=float64,float32"],
        [" (with optimizer=adam(epsilon=1.0e-60), dtype=float32)"],
    ),
    (
        ["loss=mean_squared,cross_entropy", "network.layers.1.activation=softmax,sigmoid"],
        [" (with loss=cross_entropy, activation=sigmoid)"],
    ),
]


@pytest.mark.parametrize(("words", "together"), CONTRADICTING)
def test_what_blocks_contradict_is_found(plan, write, words, together):
    """With the messages that loading each setting gives, each once, at an argument; and with the
    values that are wrong only together.
    """
    file, expected = write("iris"), set()
    for choice in product(*parse_grid(words).values()):
        chosen = zip(parse_grid(words), choice, strict=True)
        try:
            prepare(load_config(file, [f"{key}={json.dumps(value)}" for key, value in chosen]))
        except ConfigError as error:
            expected |= {problem.message for problem in error.problems}
    with pytest.raises(ConfigError) as caught:
        plan(file, *words)
    problems = caught.value.problems
    assert expected
    messages = [problem.message for problem in problems]
    assert together == [m[m.index(" (with ") :] for m in messages if " (with " in m]
    assert sorted(expected) == sorted(message.partition(" (with ")[0] for message in messages)
    assert {problem.argument for problem in problems} <= {*words}


def test_a_problem_of_the_file_has_its_place(plan, write):
    """In the config's own grid, for a setting whose blocks were all valid in others."""
    keys = "{training.batch_size: [4, 8], network.layers.1.units: [3, 4]}"
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", f"{IRIS}sweep:\n  grid: {keys}\n"))
    (problem,) = caught.value.problems
    assert (8, 67) == (problem.place.line, problem.place.column)
    assert problem.message.startswith("4 outputs, but iris has 3 classes")


def test_networks_of_weighted_and_unweighted_rows_are_two(write):
    """Settings that differ in the weights of classes alone do not share a network."""
    file, cache = write("iris"), GridCache()
    words = ("training.class_weight=null", "training.class_weight=balanced")
    runs = [prepare(load_config(file, [word]), cache=cache) for word in words]
    assert [False, True] == [run.network.weighted for run in runs]


def test_a_value_of_the_configs_grid_may_need_that_of_another_key(plan, write):
    """As early stopping needs a validation split; with none, it is refused at its key."""
    grid = "sweep: {grid: {training.early_stopping: [{patience: 2}, {patience: 3}]%s}}\n"
    plan(write("both", IRIS + grid % ", dataset.validation_size: [0.1, 0.2]"))
    with pytest.raises(ConfigError, match=r"grid\.training\.early_stopping: early stopping"):
        plan(write("alone", IRIS + grid % ", training.batch_size: [4, 8]"))


def test_a_wrong_value_beside_many_others_is_found_by_check(write):
    """It is wrong with each of them, however long their list is."""
    rates = [0.001 * rate for rate in range(1, 301)]
    grid = json.dumps({"training.batch_size": [4, 0], "training.learning_rate": rates})
    with pytest.raises(ConfigError, match="0 is not a whole number greater than 0"):
        load_config(write("iris", f"{IRIS}sweep: {{grid: {grid}}}\n"), [])


def test_a_problem_that_stands_elsewhere_names_its_cause(plan, write):
    """The value of a key, where the problem is shown at another key."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), "dataset.test_size=0.2,0.9", "training.batch_size=20")
    (problem,) = caught.value.problems
    assert "training.batch_size=20" == problem.argument
    assert problem.message.endswith("which has 15 (with test_size=0.9)")
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), "training.batch_size=4,0")
    assert ["0 is not a whole number greater than 0"] == [p.message for p in caught.value.problems]


LENGTH = "training needs 'iterations' or 'epochs'"
STOPPING = "early stopping watches a validation split; set dataset.validation_size"
NOT_POSITIVE = "0 is not a whole number greater than 0"


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["training.iterations=null,10"], {f"{LENGTH} (with iterations=null)"}),
        (["training.iterations=10,null"], {f"{LENGTH} (with iterations=null)"}),
        (["training.iterations=null,0"], {LENGTH, NOT_POSITIVE}),
        (["training.iterations=null", "training.batch_size=4,8"], {LENGTH}),
        (
            ["training.iterations=null,10", "training.batch_size=0,8"],
            {f"{LENGTH} (with iterations=null)", NOT_POSITIVE},
        ),
        (["dataset.validation_size=0,0.2"], {f"{STOPPING} (with validation_size=0)"}),
        (
            ["training.iterations=null,10", "dataset.validation_size=0.2,0"],
            {f"{LENGTH} (with iterations=null)", f"{STOPPING} (with validation_size=0)"},
        ),
    ],
)
def test_a_problem_in_the_file_names_the_value_that_causes_it(plan, write, words, messages):
    """Also if it is the first of its argument, and another mends it."""
    stopping = "training: {early_stopping: {patience: 3}, "
    text = IRIS.replace("training: {", stopping).replace("iris,", "iris, validation_size: 0.2,")
    with pytest.raises(ConfigError) as caught:
        plan(write("iris", text), *words)
    assert messages == {problem.message for problem in caught.value.problems}


UNEQUAL = "sizes and activations must be equally many, not"
GOOD, WRONG, LONG = (
    f"{{sizes: [4, 3], activations: [{names}]}}"
    for names in ("tanh, softmax", "tanh", "tanh, tanh, tanh, tanh, tanh, tanh, softmax")
)


@pytest.mark.parametrize(
    ("values", "messages"),
    [
        ([GOOD, WRONG, GOOD], {f"{UNEQUAL} 2 and 1 (with network={WRONG})"}),
        ([WRONG, GOOD], {f"{UNEQUAL} 2 and 1 (with network={WRONG})"}),
        ([GOOD, LONG, GOOD], {f"{UNEQUAL} 2 and 7 (with value 2 of 3 of network)"}),
        (
            [LONG, WRONG],
            {
                f"{UNEQUAL} 2 and 7 (with value 1 of 2 of network)",
                f"{UNEQUAL} 2 and 1 (with network={WRONG})",
            },
        ),
        ([LONG], {f"{UNEQUAL} 2 and 7"}),
        (
            [GOOD, "{layers: {a: 1}}"],
            {"a mapping is not a list of layers (with network={layers: {a: 1}})"},
        ),
    ],
)
def test_a_problem_within_a_value_names_the_value(plan, write, values, messages):
    """Of an argument with several, or says which it is if it is long."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), f"network={','.join(values)}", "training.batch_size=4,8")
    assert messages == {problem.message for problem in caught.value.problems}


def test_a_list_or_mapping_that_a_message_has_not_is_named(plan, write):
    """Though the problem stands at the key of the argument."""
    with pytest.raises(ConfigError) as caught:
        plan(write("iris"), "network.layers=[{type: dense, units: 3, activation: softmax}],{a: 1}")
    (problem,) = caught.value.problems
    assert "a mapping is not a list of layers (with layers={a: 1})" == problem.message
