"""Caches shared by all seeds of a config, and by all settings of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

V = TypeVar("V")


class ConfigCache:
    """Values by name, each made by the first run that needs it.

    `code` is the cache of all configs with the same compiled code and data, by default this one.
    """

    def __init__(self, code: ConfigCache | None = None) -> None:
        self._known: dict[str, Any] = {}
        self._code = code

    @property
    def code(self) -> ConfigCache:
        """Cache of all configs with the same compiled code and data."""
        return self._code or self

    def get(self, name: str, make: Callable[[], V]) -> V:
        """The value with this name, made if there is none yet."""
        if name not in self._known:
            self._known[name] = make()
        value: V = self._known[name]
        return value


class GridCache:
    """The last value of each kind, for settings that are prepared one after the other."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def get(self, kind: str, key: object, make: Callable[[], V]) -> V:
        """The value of a kind for a key, made unless it is the last one of its kind."""
        if kind not in self._kept or self._kept[kind][0] != key:
            self._kept[kind] = key, make()
        value: V = self._kept[kind][1]
        return value
