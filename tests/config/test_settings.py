"""Settings by dotted keys, and settings replaced."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from nnrun.config.load import load_config
from nnrun.config.settings import choice_of, choice_words, parts_apart, told_apart, value_words
from nnrun.errors import ConfigError
from nnrun.nn import INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets

# Settings in few words, as tables and labels show them.


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"type": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, "adam"),
        ({"type": "sgd", "momentum": 0.9, "nesterov": False}, "sgd(momentum=0.9)"),
        ({"type": "glorot_uniform", "scale": 1.0}, "glorot_uniform"),
        ({"type": "uniform", "scale": 0.5}, "uniform(scale=0.5)"),
        (
            {
                "type": "dense",
                "units": 3,
                "activation": "relu",
                "bias": True,
                "initializer": {"type": "glorot_uniform", "scale": 1.0},
            },
            "dense(3, relu)",
        ),
        (
            {"type": "dense", "units": 3, "initializer": {"type": "zeros", "scale": 1.0}},
            "dense(3, initializer=zeros)",
        ),
        ([{"type": "flatten"}, {"type": "dropout", "rate": 0.5}], "[flatten, dropout]"),
        ({"type": "unheard_of", "rate": 1}, "unheard_of(rate=1)"),
        ({"type": "batch_norm", "momentum": None}, "batch_norm"),
        ({"schedule": "cosine", "initial": 0.1}, "cosine(initial=0.1)"),
        (
            {"schedule": "step", "initial": 0.1, "every": 5, "factor": 0.1},
            "step(initial=0.1, every=5)",
        ),
    ],
)
def test_what_nobody_had_to_write_is_left_out(value: Any, words: str) -> None:
    """What equals the default of the layer, loss, optimizer, schedule or initializer that it is."""
    assert words == value_words("network.layers", value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (100.0, "100"), (100, "100"), (-2.0, "-2"), (0.0, "0"), (0.1, "0.1"), (True, "true"),
        (1e16, "1.0e+16"), (1e-8, "1.0e-08"), ("100", '"100"'), ([1.0, 2.5], "[1, 2.5]"),
        ({"schedule": "cosine", "initial": 10.0}, "cosine(initial=10)"),
    ],
)  # fmt: skip
def test_whole_numbers_are_written_as_such(value: Any, words: str) -> None:
    """Whatever type their key has: a learning rate of 100 is 100 in lists, not 100.0."""
    assert words == value_words("training.learning_rate", value)


def test_a_name_says_of_what_table_it_is() -> None:
    """Defaults are looked up by names alone."""
    names = Counter([*INITIALIZERS, *LAYERS, *LOSSES, *OPTIMIZERS, *SCHEDULES])
    assert [] == [name for name, number in names.items() if number > 1]


def test_settings_are_named_as_in_a_config():
    """A number as learning rate, one hidden layer, a layer: as few words as their meaning takes."""
    choice = {
        "training.learning_rate.initial": 0.01,
        "network.depth.units": [20],
        "network.layers.1": {"type": "conv2d", "channels": 8, "kernel": 3, "activation": "relu"},
        "members": {"number": 4, "settings": []},
    }
    words = ["learning_rate=0.01", "units=20", "layers.1=conv2d(8, relu)", "members={number: 4}"]
    assert words == choice_words(choice)


def test_a_schedule_and_its_initial_rate_have_two_names():
    """Where both vary, one `learning_rate` would stand beside another."""
    choice = {
        "training.learning_rate": {"schedule": "cosine", "initial": 0.1},
        "training.learning_rate.initial": 0.2,
    }
    block = "learning_rate=cosine(initial=0.1)"
    assert [block, "learning_rate.initial=0.2"] == choice_words(choice)
    one = dict([choice.popitem()])
    assert ["learning_rate.initial=0.2"] == choice_words(one, choice)
    assert ["learning_rate=0.2"] == choice_words(one)


def test_what_a_config_has_not_is_no_setting_of_it():
    """Null is a value that can be chosen; a layer that is missing is none."""
    settings = {"training.class_weight": None, "network.layers.0.units": 3}
    keys = ["training.class_weight", "network.layers.1", "network.layers.0"]
    chosen = {"training.class_weight": None, "network.layers.0": {"units": 3}}
    assert chosen == choice_of(settings, keys)


def test_rows_keep_the_settings_that_tell_them_apart():
    """One that all have is left out, and one that some have if others tell these apart already."""
    searched = {"rate": 0.1, "depth": 1, "data": "iris"}
    plain = [
        {"rate": 0.2, "layers": "dense", "data": "iris"},
        {"rate": 0.2, "layers": "dense", "data": "iris", "weights": "equal"},
    ]
    found = [{"rate": 0.1}, {"rate": 0.2}, {"rate": 0.2, "weights": "equal"}]
    assert found == told_apart([searched, *plain])
    assert [{"a": 1}] == told_apart([{"a": 1}])


def test_parts_of_blocks_tell_choices_apart():
    """Blocks that are long have little in which they differ; those of other kinds stay whole."""
    rate, network, optimizer = "training.learning_rate", "network", "training.optimizer"
    shared = {"training.loss": {"type": "huber", "delta": 2}}
    small, large = ({"sizes": [units, 3], "activations": ["tanh"]} for units in (8, 9))
    choices: list[dict[str, Any]] = [
        {optimizer: "adam", rate: 0.05, network: small},
        {optimizer: {"type": "adam", "beta1": 0.5}, rate: 0.05, network: small},
        {optimizer: "adam", rate: {"initial": 0.1, "schedule": "cosine", "final": 0}},
        {optimizer: "adam", rate: {"initial": 0.1, "schedule": "step", "every": 5}, network: large},
    ]
    parts = parts_apart([choice | shared for choice in choices])
    keys = [key for part in parts for key in part]
    assert [
        "beta1=0.9 learning_rate=0.05 sizes=[8, 3] activations=[tanh] loss=huber(delta=2)",
        "beta1=0.5 learning_rate=0.05 sizes=[8, 3] activations=[tanh] loss=huber(delta=2)",
        "beta1=0.9 learning_rate=cosine(initial=0.1) loss=huber(delta=2)",
        "beta1=0.9 learning_rate=step(initial=0.1, every=5) sizes=[9, 3] activations=[tanh] "
        "loss=huber(delta=2)",
    ] == [" ".join(choice_words(part, keys)) for part in parts]


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        (
            "training.optimizer",
            ["sgd", {"type": "sgd", "momentum": 0.9}, {"type": "adam", "beta1": 0.8}],
            ["optimizer=sgd", "optimizer=sgd(momentum=0.9)", "optimizer=adam(beta1=0.8)"],
        ),
        (
            "training.optimizer",
            ["adam", {"type": "adam", "beta1": 0.8}],
            ["beta1=0.9", "beta1=0.8"],
        ),
        (
            "network.initializer",
            [{"type": "uniform", "scale": 0.5}, {"type": "scaled_uniform", "scale": 0.5}],
            ["initializer=uniform(scale=0.5)", "initializer=scaled_uniform(scale=0.5)"],
        ),
        ("training.loss", ["huber", {"type": "huber", "delta": 2}], ["delta=1", "delta=2"]),
        (
            "training.learning_rate",
            [0.1, {"schedule": "cosine", "initial": 0.1}],
            ["learning_rate=0.1", "learning_rate=cosine(initial=0.1)"],
        ),
        (
            "network.layers",
            [[{"type": "dense", "units": units}] for units in (3, 5)],
            ["units=3", "units=5"],
        ),
        (
            "network.layers",
            [[{"type": "dense", "units": 3}], [{"type": "dropout", "rate": 0.5}]],
            ["layers.0=dense(3)", "layers.0=dropout"],
        ),
        ("name", ["huber", "step"], ["name=huber", "name=step"]),
    ],
)
def test_a_block_is_whole_where_its_kind_differs(key, values, words):
    """`beta1` means nothing beside a row that has none; among rows of one kind it says all."""
    parts = parts_apart([{key: value} for value in values])
    assert words == [" ".join(choice_words(part)) for part in parts]


OF_TRAINING = [
    {"learning_rate": {"schedule": "cosine", "initial": 0.1}, "iterations": 12},
    {"learning_rate": 0.1, "epochs": 2},
]
RATES = [0.02, {"schedule": "step", "initial": 0.1, "every": 10}]


@pytest.mark.parametrize("order", [("training", "training.learning_rate"), None])
def test_what_another_key_replaces_in_a_block_tells_nothing(order):
    choices = [
        {"training": block, "training.learning_rate": rate}
        for block in OF_TRAINING
        for rate in RATES
    ]
    if order is None:
        choices = [dict(reversed(choice.items())) for choice in choices]
    found = [{*choice_words(parts)} for parts in parts_apart(choices)]
    expected = [
        {length, f"learning_rate={rate}"}
        for length in ("iterations=12", "epochs=2")
        for rate in ("0.02", "step(initial=0.1, every=10)")
    ]
    assert found == expected


def test_a_type_that_another_key_replaces_is_that_of_the_block():
    choices = [
        {"training.optimizer": {"type": "sgd"}, "training.optimizer.type": name}
        for name in ("adam", "sgd")
    ]
    words = [choice_words(parts) for parts in parts_apart(choices)]
    assert [["optimizer=adam"], ["optimizer=sgd"]] == words


def test_what_has_no_kind_keeps_its_braces():
    """Layers are short wherever they stand."""
    network = {"layers": [{"type": "dense", "units": 3, "activation": "relu"}, {"type": "flatten"}]}
    assert ["network={layers: [dense(3, relu), flatten]}"] == choice_words({"network": network})
    split = {"dataset.split": {"by": "time", "column": "sold"}}
    assert ["split={by: time, column: sold}"] == choice_words(split)


# Arguments that change a part of a block, or replace all of it, and what is said about that.

CONFIG = {
    "name": "blocks",
    "dataset": {"name": "iris", "validation_size": 0.2},
    "network": {
        "sizes": [5, 3],
        "activations": ["relu", "softmax"],
        "initializer": {"type": "uniform", "scale": 0.1},
    },
    "loss": "cross_entropy",
    "training": {
        "optimizer": {"type": "sgd", "momentum": 0.9},
        "learning_rate": {"schedule": "cosine", "initial": 0.05},
        "early_stopping": {"patience": 3},
        "class_weight": {"setosa": 2},
        "iterations": 20,
    },
}
STEP = {"schedule": "step", "initial": 0.1, "every": 5, "factor": 0.5}
WARM = {"schedule": "warmup_cosine", "peak": 0.1, "warmup": 5}
CYCLE = {"schedule": "one_cycle", "peak": 0.1, "initial": 0.01}
CONSTANT = {"schedule": "constant", "value": 0.1}


def with_rate(rate):
    return CONFIG | {"training": CONFIG["training"] | {"learning_rate": rate}}


@pytest.mark.parametrize(
    ("rate", "key"), [(STEP, "initial"), (WARM, "peak"), (CYCLE, "peak"), (CONSTANT, "value")]
)
def test_a_number_for_a_schedule_is_its_rate(rate, key):
    """All else of the schedule stays."""
    changed = load_config(with_rate(rate), ["training.learning_rate=0.02"]).config
    assert load_config(with_rate({**rate, key: 0.02})).config == changed


def test_a_note_says_that_the_schedule_stays():
    """The note has what would make the rate a constant, which is done without a note."""
    (note,) = load_config(CONFIG, ["training.learning_rate=0.02"]).notes
    assert "training.learning_rate sets 'initial' of the config's schedule 'cosine'" in note
    argument = note.split("'")[-2].replace("…", "0.02")
    constant = load_config(CONFIG, [argument])
    assert [] == constant.notes
    assert "constant" == constant.config.training.learning_rate.schedule
    assert [] == load_config(with_rate(CONSTANT), ["training.learning_rate=0.02"]).notes


def test_a_number_that_is_no_rate_is_refused_at_its_argument():
    """The problem is that of the schedule's key."""
    with pytest.raises(ConfigError, match=r"training.learning_rate.initial: -1 is not"):
        load_config(CONFIG, ["training.learning_rate=-1"])


@pytest.mark.parametrize("word", ["0.02", "{schedule: cosine, initial: 0.02}"])
def test_a_number_for_a_number_needs_no_note(word):
    """It is all that there was, and a block is given as a whole."""
    assert [] == load_config(with_rate(0.1), [f"training.learning_rate={word}"]).notes


@pytest.mark.parametrize(
    ("argument", "block"),
    [
        ("training.optimizer=adam", "{type: sgd, momentum: 0.9}"),
        ("training.optimizer=sgd", "{type: sgd, momentum: 0.9}"),
        ("network.initializer=glorot_uniform", "{type: uniform, scale: 0.1}"),
        ("training.class_weight=balanced", "{setosa: 2}"),
    ],
)
def test_a_word_for_a_block_is_noted(argument, block):
    """The keys that are gone with it are named."""
    key = argument.partition("=")[0]
    notes = load_config(CONFIG, [argument]).notes
    assert [f"{key} replaces all of {block} in the config"] == notes


@pytest.mark.parametrize(
    "argument",
    [
        "training.early_stopping=null",
        "training.optimizer={type: adam}",
        "training.optimizer.momentum=0.5",
        "training.iterations=10",
    ],
)
def test_what_says_what_it_changes_needs_no_note(argument):
    """Nothing is lost that the argument does not name."""
    assert [] == load_config(CONFIG, [argument]).notes


def plan_of(config, *words):
    return make_plan({"blocks": config}, Arguments.parse(words), Datasets())


def rates_of(plan):
    """The learning rate of each setting, as its config has it."""
    rates = [json.loads(variant.config)["training"]["learning_rate"] for variant in plan.variants]
    return [(rate["schedule"], rate["initial"]) for rate in rates]


@pytest.mark.parametrize("words", [["training.learning_rate=0.1,0.2,0.4"], []])
def test_a_grid_of_numbers_changes_the_schedule(words):
    """Of arguments and of the config's own grid, also where not every setting is checked."""
    own = {"sweep": {"grid": {"training.learning_rate": [0.1, 0.2, 0.4]}}}
    plan = plan_of(CONFIG | ({} if words else own), *words)
    assert [("cosine", rate) for rate in (0.1, 0.2, 0.4)] == rates_of(plan)
    (note,) = plan.notes
    assert "blocks: training.learning_rate sets 'initial'" in note


def test_a_grid_of_numbers_and_schedules():
    """Each value counts for itself, whichever comes first."""
    step = "{schedule: step, initial: 0.3, every: 5}"
    plan = plan_of(CONFIG, f"training.learning_rate={step},0.1,0.2")
    assert [("step", 0.3), ("cosine", 0.1), ("cosine", 0.2)] == rates_of(plan)
    mixed = plan_of(with_rate(0.5), f"training.learning_rate={step},0.1,0.2")
    found = [json.loads(variant.config)["training"]["learning_rate"] for variant in mixed.variants]
    assert ["step", 0.1, 0.2] == [found[0]["schedule"], *found[1:]]


@pytest.mark.parametrize("word", ["0.1", "0.1,0.2"])
def test_an_argument_takes_the_place_of_a_grid_over_the_rate(word):
    """Of the config's own, which gives the same key of the schedule by its name."""
    own = {"sweep": {"grid": {"training.learning_rate.initial": [0.3, 0.4, 0.5]}}}
    rates = [("cosine", float(rate)) for rate in word.split(",")]
    assert rates == rates_of(plan_of(CONFIG | own, f"training.learning_rate={word}"))
