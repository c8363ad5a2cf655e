"""A cache shared by all seeds of a config."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

V = TypeVar("V")


class ConfigCache:
    """Values by name, each made by the first run that needs it."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def get(self, name: str, make: Callable[[], V]) -> V:
        """The value with this name, made if there is none yet."""
        if name not in self._known:
            self._known[name] = make()
        return cast(V, self._known[name])
