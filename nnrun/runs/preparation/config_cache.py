"""Caches shared by all seeds of a config, and by all settings of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

V = TypeVar("V")


class ConfigCache:
    """Values by name, each made by the first run that needs it.

    Args:
        code: the cache of all configs with the same compiled code and data; by default this one.
    """

    def __init__(self, code: ConfigCache | None = None) -> None:
        self._known: dict[str, Any] = {}
        self.code = code or self

    def get(self, name: str, make: Callable[[], V]) -> V:
        """The value with this name, made if there is none yet."""
        if name not in self._known:
            self._known[name] = make()
        return cast(V, self._known[name])


class GridCache:
    """The last value of each kind, for settings that are prepared one after the other."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def get(self, kind: str, key: object, make: Callable[[], V]) -> V:
        """The value of a kind for a key, made unless it is the last one of its kind."""
        if kind not in self._kept or self._kept[kind][0] != key:
            self._kept[kind] = key, make()
        return cast(V, self._kept[kind][1])
