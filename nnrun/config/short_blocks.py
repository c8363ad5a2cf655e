"""Blocks of configs in short: without keys that are null or have their default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from inspect import Parameter, signature
from typing import Any

KINDS = ("type", "schedule")
"""The keys that say of what kind a block is."""


def in_short(value: Any) -> Any:
    """A value with its blocks in short; a block with nothing but its kind is that word."""
    if isinstance(value, str | int):  # as most are
        return value
    if isinstance(value, list):
        return [in_short(part) for part in value]
    if isinstance(value, float) and repr(value).endswith(".0"):
        return int(value)  # 100, however it was written
    if not isinstance(value, Mapping):
        return value
    parts = {key: in_short(part) for key, part in value.items() if part is not None}
    kind = kind_of(parts)
    if kind is None:
        return parts
    usual = defaults(kind)
    said = {k: v for k, v in parts.items() if k in KINDS or k not in usual or not same(usual[k], v)}
    return kind if len(said) == 1 else said


def kind_of(block: Mapping[str, Any]) -> str | None:
    """Its `type` or its `schedule`; None for one that has no kind."""
    found = block.get("type") or block.get("schedule")
    return found if isinstance(found, str) else None


def filled(value: Any) -> Any:
    """A block, for which its kind may stand, with its defaults."""
    block = {"type": value} if isinstance(value, str) else value
    kind = kind_of(block) if isinstance(block, Mapping) else None
    usual = {} if kind is None else defaults(kind)
    given = {key: part for key, part in usual.items() if part is not Parameter.empty}
    return {**block, **given, **block} if given else value


def defaults(kind: str) -> dict[str, Any]:
    """The defaults of a layer, loss, optimizer, schedule or initializer."""
    from nnrun.nn import INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, Initializer  # noqa: PLC0415  # lists of runs do without NumPy where they can

    if kind in INITIALIZERS:
        return _defaults_of(Initializer)
    tables: tuple[Mapping[str, Callable[..., Any]], ...] = LAYERS, LOSSES, OPTIMIZERS, SCHEDULES
    return next((_defaults_of(table[kind]) for table in tables if kind in table), {})


@cache
def _defaults_of(call: Callable[..., Any]) -> dict[str, Any]:
    from nnrun.nn import Initializer  # noqa: PLC0415  # as above

    found = {a.name: a.default for a in signature(call).parameters.values()}
    # A layer takes it from the network, whose default this is.
    return found | ({"initializer": Initializer().type} if "initializer" in found else {})


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same setting: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)
