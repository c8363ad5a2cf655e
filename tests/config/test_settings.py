"""Settings in few words, as tables and labels show them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from nnrun.config.settings import choice_of, choice_words, parts_apart, told_apart, value_words
from nnrun.nn import INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES


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
    }
    words = ["learning_rate=0.01", "units=20", "layers.1=conv2d(8, relu)"]
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
