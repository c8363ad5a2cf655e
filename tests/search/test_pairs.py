"""Keys of a space that replace, exclude or need each other."""

from __future__ import annotations

import json

import pytest

from nnrun.errors import ConfigError
from nnrun.search.plan import plan_search
from nnrun.search.proposer import drawn_with
from nnrun.sweeps.planning.variants import Datasets
from tests.search.helpers import IRIS

COSINE = {"schedule": "cosine", "initial": 0.1}
STEP = {"schedule": "step", "initial": 0.1, "factor": 0.5, "every": 10}
OUTPUT = {"type": "dense", "units": 3, "activation": "softmax"}
RATES = {"training.learning_rate": {"choice": [COSINE, STEP]}}
INITIAL = {"training.learning_rate.initial": {"log_uniform": [0.01, 1]}}
BETA = {"training.optimizer.beta1": {"uniform": [0.5, 0.9]}}
WIDE = OUTPUT | {"units": 8, "activation": "tanh"}
THIRD = {"network.layers.2.initializer": {"choice": ["zeros", "he_normal"]}}


def planned(tmp_path, space):
    file = tmp_path / "iris.yaml"
    file.write_text(
        "\n".join(f"{k}: {json.dumps(v)}" for k, v in (IRIS | {"search": space}).items())
    )
    return plan_search(file, [], Datasets())


@pytest.mark.parametrize("space", [RATES | INITIAL, INITIAL | RATES])
def test_a_block_and_a_key_in_it_are_chosen_in_any_order(tmp_path, space):
    """Each trial has both, though the config's own rate has no such key."""
    plan = planned(tmp_path, space)
    draws = [*drawn_with({}, plan.space, 9)]
    assert 9 == len({draw.choice["training.learning_rate.initial"] for draw in draws})
    for draw in draws:
        rate = plan.settings.make(0, draw.choice, draw.values, (0,)).config["training"]
        expected = draw.choice["training.learning_rate"] | {
            "initial": draw.choice["training.learning_rate.initial"]
        }
        assert expected == {key: rate["learning_rate"][key] for key in expected}


@pytest.mark.parametrize(
    "space",
    [
        {"training.optimizer": {"choice": ["sgd", "adam"]}, **BETA},
        {"training.optimizer": {"choice": ["adam", "sgd"]}, **BETA},
        {"training.optimizer.type": {"choice": ["sgd", "adam"]}, **BETA},
        {"network.layers": {"choice": [[WIDE, OUTPUT], [WIDE, WIDE, OUTPUT]]}, **THIRD},
        {"network.layers": {"choice": [[WIDE, WIDE, OUTPUT], [WIDE, OUTPUT]]}, **THIRD},
    ],
)
def test_keys_that_go_with_some_options_are_searched(tmp_path, space):
    """Whichever option is the first; trials with the others end alone."""
    assert [*space] == [*planned(tmp_path, space).space.keys]


def test_values_that_another_key_replaces_are_refused(tmp_path):
    """They would be parameters that change nothing."""
    lengths = {"training.epochs": {"int": [1, 3]}, "training.iterations": {"int": [5, 10]}}
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, lengths)
    (problem,) = caught.value.problems
    assert "search.training.epochs.int[1]" == problem.path
    assert "since 'training.iterations' replaces what differs" in problem.message
    assert 7 == problem.place.line


def test_values_that_no_other_key_makes_valid_are_refused(tmp_path):
    """At their place, once."""
    space = {"training.optimizer": {"choice": ["sgd", {"type": "sgd", "momentum": 0.5}]}, **BETA}
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, space)
    assert ["search.training.optimizer.beta1"] == [p.path for p in caught.value.problems]
