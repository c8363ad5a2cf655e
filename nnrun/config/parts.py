"""The parts of plugins that a config names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.config.schema.base.block import Block
from nnrun.plugins.loading import find
from nnrun.plugins.part import Part


def plugin_parts(config: Block) -> tuple[Part, ...]:
    """The parts of plugins that a config names, by name."""
    named = set(_named(config))
    found = [part for kind, name in named if (part := find(kind, name)) is not None]
    return tuple(sorted(found, key=lambda part: part.name))


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """The kind and the name of each part in a value of a config."""
    if isinstance(value, Block):
        yield from value.named_parts()
        for _, inner in value:
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
