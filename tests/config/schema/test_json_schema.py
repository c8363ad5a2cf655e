"""The JSON Schema for editors; that it accepts random valid configs is tested with those."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from nnrun.config.schema.experiment import json_schema

VALID: dict[str, Any] = {
    "dataset": {"name": "boston"},
    "network": {"sizes": [13, 1], "activations": ["sigmoid", "linear"]},
    "loss": "mean_squared",
    "training": {"learning_rate": 0.01, "iterations": 100},
}


def test_it_is_a_schema_of_draft_2020_12() -> None:
    """Editors need the dialect and a title."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]
    assert "nnrun config" == schema["title"]


def test_every_key_is_described() -> None:
    """Completion shows what a key means."""
    schema = json_schema()
    blocks = [schema, *schema["$defs"].values()]
    bare = [
        f"{block['title']}.{key}"
        for block in blocks
        for key, field in block["properties"].items()
        if "description" not in field
    ]
    assert [] == bare


def test_short_forms_are_accepted(validator: jsonschema.Draft202012Validator) -> None:
    """No name, a stack of sizes, words for blocks."""
    validator.validate(VALID)


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "moons", "rows": 100, "noise": 0.2, "seed": 1, "test_size": 0.5},
        {"images": {"folder": "cats", "size": [28, 20], "mode": "gray"}},
        {"images": {"folder": "cats"}, "features": "per_channel"},
        {"name": "mnist", "path": "folder"},
        {"path": "x.npz"},
        {"path": "x.csv", "columns": {"target": "y"}},
    ],
)
def test_data_of_every_kind_are_accepted(
    validator: jsonschema.Draft202012Validator, dataset: dict[str, Any]
) -> None:
    """Sets with options beside their names, folders, files."""
    validator.validate({**VALID, "dataset": dataset})


def test_models_of_scikit_learn(validator: jsonschema.Draft202012Validator) -> None:
    """`beside` stands in place of network, loss and training, and not beside them."""
    validator.validate({"dataset": {"name": "iris"}, "beside": "forest"})
    assert not validator.is_valid({**VALID, "beside": "forest"})
    assert not validator.is_valid({"dataset": {"name": "iris"}, "beside": "tree"})


@pytest.mark.parametrize(
    "change",
    [
        {"sed": 1},
        {"loss": "mean_square"},
        {"network": {"sizes": [1]}},
        {"network": {"layers": [{"type": "dens", "units": 1}]}},
        {"network": {"layers": [{"units": 1}]}},
        {"training": {"learning_rate": 0, "iterations": 1}},
        {"training": {"learning_rate": 1, "iterations": 1, "epochs": 1}},
        {"training": {"learning_rate": 1}},
        {"dataset": {"name": "bostn"}},
        {"dataset": {"test_size": 0.2}},
        {"dataset": {"name": "iris", "rows": 100}},
        {"dataset": {"name": "moons", "rows": 3}},
        {"dataset": {"name": "moons", "path": "x.csv"}},
        {"name": "../elsewhere"},
        {"published": {"test_acuracy": 1}},
        {"seed": "1"},
        {"seed": -1},
    ],
)
def test_mistakes_are_rejected(
    validator: jsonschema.Draft202012Validator, change: dict[str, Any]
) -> None:
    """Editors underline what the loader would refuse."""
    assert not validator.is_valid({**VALID, **change})
