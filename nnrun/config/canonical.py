"""The canonical form of a config, which a run's digest is computed from: keys without defaults.

Keys that are left out or have their default are not in it. So a new key of the language renames no
run, if its default changes nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from nnrun.config.schema.base.block import Block

_SINGLE = (str, int, float, bool)


def canonical(block: Block) -> dict[str, Any]:
    """The keys of a block, and of those within it, that differ from their defaults."""
    found = {}
    for key, field in type(block).model_fields.items():
        if key not in block.digest_ignores:
            value = _plain(getattr(block, key))
            if field.is_required() or value not in _defaults(type(block), key):
                found[key] = value
    return found


def _plain(value: Any) -> Any:
    if value is None or type(value) in _SINGLE:  # asking whether these are blocks is slow
        return value
    if isinstance(value, Block):
        return canonical(value) or value.digest_when_empty
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]  # equal sides may be given as one number
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


@cache
def _defaults(block: type[Block], key: str) -> tuple[Any, ...]:
    """The default in its full form, as some are written in a short one, and what it comes to."""
    field = block.model_fields[key]
    default = field.get_default(call_default_factory=True)
    if field.validate_default:
        default = TypeAdapter(field.rebuild_annotation()).validate_python(default)
    resolved = (block.digest_defaults[key],) if key in block.digest_defaults else ()
    return (_plain(default), *resolved)
