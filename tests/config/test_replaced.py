"""Arguments that change a part of a block, or replace all of it, and what is said about that."""

from __future__ import annotations

import json

import pytest

from nnrun.config.load import load_config
from nnrun.errors import ConfigError
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets

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
