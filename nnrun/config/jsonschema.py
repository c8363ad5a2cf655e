"""The JSON Schema of configs, for completion and checks in editors."""

from __future__ import annotations

from typing import Any

from nnrun.config.schema import ExperimentConfig


def json_schema() -> dict[str, Any]:
    """A schema of draft 2020-12 that accepts what `load_config` accepts, short forms included."""
    schema = ExperimentConfig.model_json_schema(mode="validation")
    # The file's stem is the default.
    schema["required"].remove("name")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "nnrun config",
    }
