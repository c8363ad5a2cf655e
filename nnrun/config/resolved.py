"""Resolved configs from their JSON. Those that have a block in common share it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from nnrun.config.load import config_from_dict, field_of
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.plugins.part import Source

_JSON = json.JSONDecoder()


@lru_cache(maxsize=64)
def resolved_config(text: str, plugins: Sequence[Source] = ()) -> ExperimentConfig:
    """The config that `config_to_json` wrote, of a process that had these plugins.

    It was valid then. A block with the same text as one of another config is the same object, so
    that what is computed from it is computed once.
    """
    entries = entries_of(text)
    if any(entry.key == "beside" for entry in entries):
        return config_from_dict({entry.key: entry.value for entry in entries})
    values = {
        entry.key: _block(ExperimentConfig, entry.key, entry.text, plugins)
        if isinstance(entry.value, dict)
        else entry.value
        for entry in entries
    }
    return ExperimentConfig.model_construct(**values)


class Entry(NamedTuple):
    """A key of a resolved config with its value, and the JSON of the value."""

    key: str
    value: Any
    text: str


@lru_cache(maxsize=64)
def entries_of(text: str) -> Sequence[Entry]:
    """The entries of the config that `config_to_json` wrote."""
    entries, at = [], len("{")
    while at < len(text):
        key, end = _JSON.raw_decode(text, at)
        start = end + len(": ")
        value, end = _JSON.raw_decode(text, start)
        entries.append(Entry(key, value, text[start:end]))
        at = end + len(", ")
    return entries


@lru_cache(maxsize=512)
def _block(config: type[ExperimentConfig], key: str, text: str, _plugins: Sequence[Source]) -> Any:
    """The block with this key; a plugin may read the same text in another way."""
    return field_of(config, key).validate_python(json.loads(text))
