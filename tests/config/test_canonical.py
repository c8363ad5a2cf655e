"""The canonical form of configs, and its way back."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import create_model

from nnrun.config.load import canonical, config_from_dict, config_to_dict, load_config
from nnrun.config.schema.block import Block
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.schema.network import LayerConfig, LossConfig, NetworkConfig
from nnrun.config.schema.training import OptimizerConfig, ScheduleConfig, TrainingConfig
from nnrun.config.yaml_scalars import dump
from tests.config.random_configs import CONFIGS, STACKS

# What a config says beyond its defaults: the same for all ways to write one experiment.

SHORT = {
    "name": "short",
    "dataset": {"name": "iris"},
    "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.1, "iterations": 10},
}
DENSE = {"type": "dense", "units": 3, "activation": "softmax"}


def canonical_of(**changes):
    return canonical(config_from_dict({**SHORT, **changes}))


def test_nothing_is_left_of_defaults():
    """A short config is its own canonical form, but for the forms that it abbreviates."""
    assert {
        "dataset": {"name": "iris"},
        "network": {
            "layers": [
                {"type": "dense", "units": 4, "activation": "tanh"},
                {"type": "dense", "units": 3, "activation": "softmax"},
            ]
        },
        "loss": {"type": "cross_entropy"},
        "training": {"learning_rate": 0.1, "iterations": 10},
    } == canonical_of()


def test_a_config_written_out_has_the_same_canonical_form():
    """Every default by its value, at every depth."""
    config = config_from_dict(SHORT)
    assert canonical(config) == canonical(config_from_dict(config_to_dict(config)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"optimizer": "sgd"}, {}),
        ({"optimizer": {"type": "sgd", "momentum": 0.0}}, {"optimizer": "sgd"}),
        ({"optimizer": {"type": "adam", "beta1": 0.9}}, {"optimizer": "adam"}),
        ({"evaluate_every": None, "clip_norm": None, "early_stopping": None}, {}),
        ({"learning_rate": {"schedule": "cosine", "initial": 1, "final": 0, "over": None}},
         {"learning_rate": {"schedule": "cosine", "initial": 1.0}}),
    ],
)  # fmt: skip
def test_training_written_in_two_ways(one, other):
    """Words, blocks, and keys at their defaults mean the same."""
    base = {"learning_rate": 0.1, "iterations": 10}
    assert canonical_of(training={**base, **one}) == canonical_of(training={**base, **other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"layers": [{**DENSE, "initializer": "glorot_uniform"}]}, {"layers": [DENSE]}),
        ({"layers": [{**DENSE, "initializer": {"scale": 1}}]}, {"layers": [DENSE]}),
        ({"initializer": "he_normal", "layers": [DENSE]},
         {"layers": [{**DENSE, "initializer": "he_normal"}]}),
        ({"initializer": "he_normal", "layers": [{**DENSE, "initializer": "zeros"}]},
         {"layers": [{**DENSE, "initializer": "zeros"}]}),
        ({"initializer": "he_normal", "layers": [{**DENSE, "initializer": "glorot_uniform"}]},
         {"layers": [DENSE]}),
        ({"layers": [{"type": "conv2d", "channels": 2, "kernel": [3, 3], "stride": [1, 1]}]},
         {"layers": [{"type": "conv2d", "channels": 2}]}),
    ],
)  # fmt: skip
def test_networks_written_in_two_ways(one, other):
    """An initializer says the same for all layers or at each; a square has one side or two."""
    assert canonical_of(network=one) == canonical_of(network=other)


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"learning_rate": 0.1, "iterations": 11}},
        {"training": {"learning_rate": 0.1, "iterations": 10, "optimizer": "adam"}},
        {"training": {"learning_rate": 0.1, "iterations": 10, "evaluate_every": 1}},
        {"dataset": {"name": "iris", "stratify": True}},
        {"dataset": {"name": "iris", "features": "standard"}},
        {"dataset": {"name": "iris", "features": ["standard", "l2"]}},
        {"dataset": {"name": "iris", "validation_size": 0.2},
         "training": {"learning_rate": 0.1, "iterations": 10, "early_stopping": {}}},
        {"network": {"layers": [{**DENSE, "bias": False}]}},
        {"network": {"layers": [{**DENSE, "initializer": {"scale": 2}}]}},
        {"loss": "mean_squared"},
    ],
)  # fmt: skip
def test_what_changes_a_result_is_in_it(changes):
    """No two of these experiments, nor any and the first, have the same canonical form."""
    assert canonical_of() != canonical_of(**changes)


def test_early_stopping_at_its_defaults_is_not_off():
    """An empty block that is on by being there stays."""
    block = {"learning_rate": 0.1, "iterations": 10, "early_stopping": {}}
    data = {"name": "iris", "validation_size": 0.2}
    assert {} == canonical_of(dataset=data, training=block)["training"]["early_stopping"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"description": "the same in other words"},
        {"published": {"test_accuracy": 0.9}},
        {"sweep": {"seeds": 3}},
        {"seed": 7},
    ],
)
def test_words_and_the_seed_are_no_part_of_it(changes):
    """A name is the folder, a seed has its own place in the digest, words change no number."""
    assert canonical_of() == canonical_of(**changes)


@pytest.mark.parametrize(
    "block",
    [
        ExperimentConfig,
        DatasetConfig,
        NetworkConfig,
        TrainingConfig,
        *LayerConfig.blocks.values(),
        *LossConfig.blocks.values(),
        *OptimizerConfig.blocks.values(),
        *ScheduleConfig.blocks.values(),
    ],
)
def test_a_key_more_leaves_the_canonical_config_alone(block: type[Block]):
    """Whatever block of the language gets another key, with a default, runs keep their names."""
    wider = create_model("Wider", __base__=block, another=(dict[str, int], {"a": 1}))
    given = {key: None for key, field in block.model_fields.items() if field.is_required()}
    narrow, wide = block.model_construct(**given), wider.model_construct(**given)
    assert canonical(narrow) == canonical(wide)
    changed = wide.model_copy(update={"another": {"a": 2}})
    assert {**canonical(narrow), "another": {"a": 2}} == canonical(changed)


# What is written is loaded again to the same: for random configs over all tables.


@given(data=CONFIGS)
@settings(max_examples=100, deadline=None)
def test_a_resolved_config_loads_to_itself(
    examples_folder: Path, validator: Any, data: dict[str, Any]
) -> None:
    """For any valid config: its resolved form is a fixed point, and JSON, and fits the schema."""
    file = examples_folder / "any.yaml"
    file.write_text(dump(data), encoding="utf-8")
    config = load_config(file).config
    resolved = dump(config_to_dict(config))
    file.write_text(resolved, encoding="utf-8")
    again = load_config(file).config
    assert config == again
    assert resolved == dump(config_to_dict(again))
    assert config == pickle.loads(pickle.dumps(config))
    plain = config_to_dict(config)
    assert config == config_from_dict(json.loads(json.dumps(plain, allow_nan=False)))
    validator.validate(data)
    validator.validate(plain)


@given(network=STACKS)
@settings(max_examples=50, deadline=None)
def test_the_short_form_equals_the_long_form(
    examples_folder: Path, network: dict[str, Any]
) -> None:
    """Sizes and activations are dense layers and nothing else."""
    data = {
        "dataset": {"name": "boston"},
        "network": network,
        "loss": "huber",
        "training": {"learning_rate": 1, "epochs": 1},
    }
    layers = [
        {"type": "dense", "units": units, "activation": activation}
        for units, activation in zip(network["sizes"], network["activations"], strict=True)
    ]
    file = examples_folder / "form.yaml"
    file.write_text(dump(data))
    short = load_config(file).config
    file.write_text(dump({**data, "network": {"layers": layers}}))
    assert short == load_config(file).config
