"""Spaces of settings, and trials in pairs."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from nnrun.config.schema.network import stack_layers
from nnrun.config.schema.search import Choice, read_distribution
from nnrun.errors import ConfigError, UsageError
from nnrun.search.plan import plan_search
from nnrun.search.proposer import all_draws, drawn_with, make_proposer
from nnrun.search.settings import Space, parameters_of, present, with_hidden
from nnrun.search.trials import stops_of
from nnrun.sweeps.planning.variants import Datasets
from tests.search.helpers import IRIS

# From distributions to choices, and from a depth to layers.

LAYERS = [
    {"type": "flatten"},
    {"type": "dense", "units": 8, "activation": "relu"},
    {"type": "batch_norm"},
    {"type": "dropout", "rate": 0.1},
    {"type": "dense", "units": 4, "activation": "relu"},
    {"type": "dense", "units": 3, "activation": "softmax"},
]


def space(layers=LAYERS, **keys):
    """A space of these distributions; two underscores stand for a dot."""
    given = {key.replace("__", "."): value for key, value in keys.items()}
    return Space({key: read_distribution(value, key) for key, value in given.items()}, layers)


def test_hidden_layers_are_copies_of_the_first_with_what_follows_it():
    """Units are of each; what comes before and the last layer stay."""
    found = with_hidden(LAYERS, 2, {"units": [5, 6]})
    kinds = [(layer["type"], layer.get("units")) for layer in found]
    hidden = [("dense", 5), ("batch_norm", None), ("dropout", None)]
    hidden += [("dense", 6), ("batch_norm", None), ("dropout", None)]
    assert [("flatten", None), *hidden, ("dense", 3)] == kinds
    assert [LAYERS[0], LAYERS[-1]] == with_hidden(LAYERS, 0, {"units": []})


def test_activation_and_dropout_are_of_all_hidden_layers():
    """A dropout of 0 is none."""
    found = with_hidden(LAYERS, 2, {"activation": "tanh", "dropout": 0.5})
    assert ["tanh", "tanh", "softmax"] == [x["activation"] for x in found if x["type"] == "dense"]
    assert [0.5, 0.5] == [layer["rate"] for layer in found if layer["type"] == "dropout"]
    without = with_hidden(LAYERS, 1, {"dropout": 0})
    assert "dropout" not in [layer["type"] for layer in without]


def test_a_network_without_hidden_layers():
    """Its hidden layers are plain ones, if the search gives their units."""
    assert [7, 3] == [x["units"] for x in with_hidden(LAYERS[-1:], 1, {"units": [7]})]
    with pytest.raises(UsageError, match="no hidden layer to copy"):
        with_hidden(LAYERS[-1:], 1, {})
    with pytest.raises(UsageError, match="a last one that is dense"):
        with_hidden(LAYERS[:1], 1, {})


def test_what_a_config_has_already():
    """The values at the keys of the space as its options write them, hidden layers counted."""
    keys = space(
        network__depth={"int": [1, 3], "units": {"int": [1, 9]}, "dropout": {"uniform": [0, 1]}},
        training__batch_size={"choice": [1, 2]},
        dataset__features={"choice": ["standard", "minmax"]},
    ).keys
    config = {
        "dataset": {"features": ["standard"]},
        "network": {"layers": LAYERS},
        "training": {"batch_size": 16},
    }
    assert {
        "dataset.features": "standard",
        "network.depth": 2,
        "network.depth.dropout": 0.1,
        "network.depth.units": [8, 4],
        "training.batch_size": 16,
    } == present(keys, config)


def test_what_a_config_has_in_the_short_form():
    """One layer's units, all sizes, one activation: the config is written out in layers."""
    keys = {
        "network.sizes.0": Choice((4, 8)),
        "network.activations.1": Choice(("softmax", "sigmoid")),
        "network.sizes": Choice(([8, 3], [16, 3])),
        "network.activations": Choice((["relu", "softmax"], ["tanh", "softmax"])),
    }
    layers = stack_layers([8, 3], ["tanh", "softmax"])
    assert {
        "network.sizes.0": 8,
        "network.activations.1": "softmax",
        "network.sizes": [8, 3],
        "network.activations": ["tanh", "softmax"],
    } == present(keys, {"network": {"layers": layers}})
    assert {"network.sizes": None} == present(
        {"network.sizes": Choice(([8, 3],))}, {"network": {"layers": LAYERS}}
    )


def test_an_option_with_distributions_is_none_of_a_config():
    """What such an option stands for is drawn: the config keeps what it has."""
    drawn = {"type": "sgd", "momentum": {"uniform": [0, 1]}}
    keys = space(training__optimizer={"choice": [drawn, {"type": "adam"}]}).keys
    config = {"network": {"layers": LAYERS}, "training": {"optimizer": {"type": "sgd"}}}
    assert {"training.optimizer": {"type": "sgd"}} == present(keys, config)


def test_a_grid_has_all_settings_of_conditions():
    """Options without anything to draw count once, others once for each of their values."""
    found = all_draws(
        space(
            a__b={"choice": ["x", {"type": "y", "c": {"int": [1, 3]}}]},
            d__e={"uniform": [0, 1], "step": 0.5},
        )
    )
    pairs = [(draw.values["a.b"], draw.values["d.e"]) for draw in found]
    options = ["x", *({"type": "y", "c": count} for count in (1, 2, 3))]
    assert [(option, step) for option in options for step in (0, 0.5, 1)] == pairs


def test_a_grid_larger_than_the_trials_is_drawn_from():
    """As many different settings as there are trials, the same for a seed."""
    numbers = space(a__b={"int": [1, 100]})
    one, again = (make_proposer("grid", numbers, 4, maximize=True, trials=9) for _ in range(2))
    drawn = [one.propose(number).values["a.b"] for number in range(9)]
    assert drawn == [again.propose(number).values["a.b"] for number in range(9)]
    assert (9, 100) == (len({*drawn}), one.most)


def test_a_sobol_sequence_is_spread_evenly():
    """Of sixteen points, one is in each sixteenth of a range; whole numbers take turns."""
    both = space(a__b={"uniform": [0, 16]}, c__d={"int": [1, 4]}, e__f={"choice": ["x", "y"]})
    proposer = make_proposer("quasi_random", both, 4, maximize=True, trials=None)
    drawn = [proposer.propose(number).values for number in range(16)]
    assert [*range(16)] == sorted(int(values["a.b"]) for values in drawn)
    counts = {number: [v["c.d"] for v in drawn].count(number) for number in (1, 2, 3, 4)}
    assert dict.fromkeys((1, 2, 3, 4), 4) == counts
    assert 8 == [v["e.f"] for v in drawn].count("x")


def test_a_wide_range_takes_no_more_memory_than_a_narrow_one():
    """Its numbers are not listed, which would take time as well, again for each parameter."""

    def peak(high: int) -> int:
        tracemalloc.start()
        drawn = [*drawn_with({}, space(a__b={"int": [1, high]}), 9)]
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert all(1 <= draw.values["a.b"] <= high for draw in drawn)
        return most

    peak(10)  # the first call imports
    assert peak(100_000) < 2 * peak(10)


@pytest.mark.parametrize("sampler", ["tpe", "random", "quasi_random", "cma_es"])
def test_numbers_have_four_digits_and_stay_within_their_range(sampler):
    """What is shown of a number is what is trained, and what Optuna's records have."""
    ends = space(a__b={"log_uniform": [0.00123456, 0.00123999]}, c__d={"uniform": [0, 1]})
    proposer = make_proposer(sampler, ends, 4, maximize=False, trials=None)
    for number in range(6):
        draw = proposer.propose(number)
        assert 0.00123456 <= draw.values["a.b"] <= 0.00123999
        assert float(f"{draw.values['c.d']:.4g}") == draw.values["c.d"]
        assert draw.params == draw.values


def test_the_seed_of_a_trial_is_made_of_its_number():
    """The trials of two seeds differ, those of one are the same."""
    one = space(a__b={"uniform": [0, 1]})

    def drawn(seed):
        proposer = make_proposer("tpe", one, seed, maximize=False, trials=None)
        return [proposer.propose(number).values["a.b"] for number in range(5)]

    assert drawn(1) == drawn(1)
    assert not {*drawn(1)} & {*drawn(2)}


def test_all_parameters_are_known_before_any_is_drawn():
    """Those of conditions and of the deepest network too."""
    names = parameters_of(
        space(
            network__depth={"int": [1, 2], "units": {"int": [1, 9]}},
            a__b={"choice": ["x", {"type": "y", "c": {"int": [1, 3]}}]},
        )
    )
    units = [f"network.depth.units.{at}" for at in (0, 1)]
    assert ["network.depth", *units, "a.b", "a.b.y.c"] == [*names]


def test_rungs_are_evaluations_before_the_end():
    """Each is the first evaluation from its share on; those at the end are none."""
    assert [20, 40] == stops_of([1 / 9, 1 / 3], 120, 20)
    assert [14, 42] == stops_of([1 / 9, 1 / 3], 120, 14)
    assert [] == stops_of([1 / 9, 1 / 3], 20, 20)


# Keys of a space that replace, exclude or need each other.

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
