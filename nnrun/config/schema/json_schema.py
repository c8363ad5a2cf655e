"""The JSON Schema of configs, for completion and checks in editors."""

from __future__ import annotations

from typing import Any, Literal

from nnrun.config.schema.data.dataset import BuiltInConfig
from nnrun.config.schema.experiment import OF_NETWORKS, BesideConfig, ExperimentConfig


def json_schema() -> dict[str, Any]:
    """A schema of draft 2020-12 that accepts what `load_config` accepts, short forms included."""
    schema = ExperimentConfig.model_json_schema(mode="validation")
    # The file's stem is the default.
    schema["required"].remove("name")
    schema["properties"]["beside"] = BesideConfig.model_json_schema()["properties"]["beside"]
    needed = [key for key in OF_NETWORKS if key in schema["required"]]
    schema["required"] = [key for key in schema["required"] if key not in needed]
    schema |= {
        "if": {"required": ["beside"]},
        "then": {"properties": dict.fromkeys(needed, False)},
        "else": {"required": needed},
    }
    blocks = schema["$defs"]
    blocks["TrainingConfig"] |= _need("oneOf", iterations="integer", epochs="integer")
    blocks["DatasetConfig"] |= _need("anyOf", path="string", images="object")
    blocks["DatasetConfig"]["properties"]["name"] = _nothing("this is a file")
    for block in BuiltInConfig.blocks.values():
        for key in {"path", "columns", "images"} - {*block.parameters}:
            blocks[block.__name__]["properties"][key] = _nothing("this data set is built in")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "nnrun config",
    }


def _nothing(reason: str) -> dict[str, Any]:
    """A key that stands in resolved configs, but may not be given."""
    return {"description": f"None: {reason}", "type": "null"}


def _need(how_many: Literal["oneOf", "anyOf"], **types: str) -> dict[str, Any]:
    """One key of these is needed; null, as in a resolved config, counts as none."""
    return {
        how_many: [
            {"required": [key], "properties": {key: {"type": type_}}}
            for key, type_ in types.items()
        ]
    }
