"""The parts of plugins that a config names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.config.canonical import Apply, apply_once
from nnrun.config.schema.base.block import Block, is_block
from nnrun.plugins.loading import digests, find
from nnrun.plugins.part import Part


def plugin_parts(config: Block, apply: Apply = apply_once) -> tuple[Part, ...]:
    """The parts of plugins that a config names, by name; `apply` as for `canonical`."""
    if not digests():
        return ()  # no plugin is loaded
    blocks = [value for _, value in config if is_block(value)]
    named = {*config.named_parts()}.union(*(apply(_parts_named, block) for block in blocks))
    found = [part for kind, name in named if (part := find(kind, name)) is not None]
    return tuple(sorted(found, key=lambda part: part.name))


def _parts_named(value: Block) -> set[tuple[str, str]]:
    return {*_named(value)}


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """The kind and the name of each part in a value of a config."""
    if is_block(value):
        yield from value.named_parts()
        for _, inner in value:
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
