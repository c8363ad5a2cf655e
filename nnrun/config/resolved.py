"""Resolved configs from their JSON. Those that have a block in common share it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from nnrun.config.load import config_from_dict, field_of
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.plugins.part import Source


@lru_cache(maxsize=64)
def resolved_config(text: str, plugins: Sequence[Source] = ()) -> ExperimentConfig:
    """The config that `config_to_json` wrote, of a process that had these plugins.

    It was valid then. A block with the same text as one of another config is the same object, so
    that what is computed from it is computed once.
    """
    content = json.loads(text)
    if "beside" in content:
        return config_from_dict(content)
    values = {
        key: _block(ExperimentConfig, key, json.dumps(value), plugins)
        if isinstance(value, dict)
        else value
        for key, value in content.items()
    }
    return ExperimentConfig.model_construct(**values)


@lru_cache(maxsize=512)
def _block(config: type[ExperimentConfig], key: str, text: str, _plugins: Sequence[Source]) -> Any:
    """The block with this key; a plugin may read the same text in another way."""
    return field_of(config, key).validate_python(json.loads(text))
