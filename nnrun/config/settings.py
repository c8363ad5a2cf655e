"""The settings of configs, one by one: by dotted keys, in what they differ, and in few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nnrun.config.emit import flow


def flatten(value: Any, key: str = "") -> dict[str, Any]:
    """Nested mappings, and lists of them, as one mapping by dotted keys."""
    if isinstance(value, Mapping) and value:
        parts: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        parts = enumerate(value)
    else:
        return {key: value}
    flat: dict[str, Any] = {}
    for name, part in parts:
        flat |= flatten(part, f"{key}.{name}" if key else str(name))
    return flat


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys in which some of these differ, in the order of their first appearance."""
    first, *others = settings or [{}]
    found = dict.fromkeys(
        key
        for other in others
        if other != first
        for key in {**first, **other}
        if key not in first or key not in other or not _same(first[key], other[key])
    )
    keys = dict.fromkeys(key for mapping in settings for key in mapping)
    return [key for key in keys if key in found]


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one and the same setting: 1 and true are two, 1 and 1.0 are one."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def short_key(key: str, keys: Iterable[str]) -> str:
    """`units`; or `layers.0.units`, where another layer's are among the keys."""
    parts = key.split(".")
    for start in range(len(parts) - 1, 0, -1):
        end = ".".join(parts[start:])
        alone = not any(f".{other}".endswith(f".{end}") for other in keys if other != key)
        if alone and not parts[start].isdigit():
            return end
    return key


def choice_words(choice: Mapping[str, Any]) -> list[str]:
    """Settings as people read them: of each key, as much as tells it from the others."""
    return [f"{short_key(key, choice)}={flow(value)}" for key, value in choice.items()]
