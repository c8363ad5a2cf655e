"""What is written is loaded again to the same: for random configs over all tables."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from nnrun.config.load import config_from_dict, config_to_dict, load_config
from nnrun.config.schema.experiment import json_schema
from nnrun.config.yaml_scalars import dump
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
