"""What is written is loaded again to the same: for random configs over all tables."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from nnrun.config.canonical import canonical, canonical_parts
from nnrun.config.canonical_json import canonical_json
from nnrun.config.load import config_from_dict, config_to_dict, config_to_json, load_config
from nnrun.config.resolved import resolved_config
from nnrun.config.schema.json_schema import json_schema
from nnrun.config.yaml.dump import dump
from tests.config.random_configs import CONFIGS, STACKS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files of one test."""
    return tmp_path_factory.mktemp("configs")


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """The JSON Schema, ready to check data."""
    return jsonschema.Draft202012Validator(json_schema())


@given(data=CONFIGS)
@settings(max_examples=50, deadline=None)
def test_texts_of_blocks_make_those_of_the_config(data: dict[str, Any]) -> None:
    """The JSON of a config, and its canonical form key by key."""
    config = config_from_dict({"name": "any", **data})
    assert json.dumps(config_to_dict(config)) == config_to_json(config)
    assert canonical(config) == {k: json.loads(t) for k, t in canonical_parts(config).items()}
    assert [canonical_json(v) for v in canonical(config).values()] == [
        *canonical_parts(config).values()
    ]


@given(data=CONFIGS)
@settings(max_examples=50, deadline=None)
def test_resolved_configs_share_their_blocks(data: dict[str, Any]) -> None:
    """Each is read as a whole would be, and what it has in common with another is the same."""
    first = config_from_dict({"name": "any", **data})
    training = {**data["training"], "learning_rate": 0.5}
    second = config_from_dict({"name": "any", **data, "training": training})
    a, b = (resolved_config(config_to_json(config)) for config in (first, second))
    assert (a, b) == (first, second)
    assert a.dataset is b.dataset
    assert a.network is b.network
    assert a.loss is b.loss
    assert config_to_json(a) == config_to_json(first)
    beside = config_from_dict({"name": "any", "dataset": {"name": "boston"}, "beside": "linear"})
    assert beside == resolved_config(config_to_json(beside))


@given(data=CONFIGS)
@settings(max_examples=100, deadline=None)
def test_a_resolved_config_loads_to_itself(
    folder: Path, validator: Any, data: dict[str, Any]
) -> None:
    """For any valid config: its resolved form is a fixed point, and JSON, and fits the schema."""
    file = folder / "any.yaml"
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
def test_the_short_form_equals_the_long_form(folder: Path, network: dict[str, Any]) -> None:
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
    file = folder / "form.yaml"
    file.write_text(dump(data))
    short = load_config(file).config
    file.write_text(dump({**data, "network": {"layers": layers}}))
    assert short == load_config(file).config
