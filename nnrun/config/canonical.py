"""What a run's digest is computed from: the canonical form of a config, and parts of plugins.

Keys that are left out or have their default are not in the canonical form. So a new key of the
language renames no run, if its default changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from nnrun.config.schema.base.block import Block, is_block
from nnrun.plugins.loading import digests, find
from nnrun.plugins.part import Part


def canonical(block: Block) -> dict[str, Any]:
    """The keys of a block, and of those within it, that differ from their defaults."""
    found = ((key, _plain(getattr(block, key)), usual) for key, usual in _fields(type(block)))
    return {key: plain for key, plain, usual in found if plain not in usual}


def _plain(value: Any) -> Any:
    if is_block(value):
        return canonical(value) or value.digest_when_empty
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]  # equal sides may be given as one number
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


@cache
def _fields(block: type[Block]) -> list[tuple[str, tuple[Any, ...]]]:
    """The keys of a block that digests hold, each with the values that they leave out."""
    keys = [key for key in block.model_fields if key not in block.digest_ignores]
    return [(key, _defaults(block, key)) for key in keys]


def _defaults(block: type[Block], key: str) -> tuple[Any, ...]:
    """The default in its full form, as some are written in a short one, and what it comes to."""
    field = block.model_fields[key]
    if field.is_required():
        return ()
    default = field.get_default(call_default_factory=True)
    if field.validate_default:
        default = TypeAdapter(field.rebuild_annotation()).validate_python(default)
    resolved = (block.digest_defaults[key],) if key in block.digest_defaults else ()
    return (_plain(default), *resolved)


def plugin_parts(config: Block) -> tuple[Part, ...]:
    """The parts of plugins that a config names, by name."""
    if not digests():
        return ()  # no plugin is loaded
    found = [part for kind, name in {*_named(config)} if (part := find(kind, name)) is not None]
    return tuple(sorted(found, key=lambda part: part.name))


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """The kind and the name of each part in a value of a config."""
    if is_block(value):
        yield from value.named_parts()
        for _, inner in value:
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
