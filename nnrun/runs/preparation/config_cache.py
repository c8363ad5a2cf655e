"""Caches shared by all seeds of a config, and by all settings of a grid."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from nnrun.config.schema.base.block import Block
from nnrun.config.schema.base.from_signature import NamedBlock

V = TypeVar("V")
B = TypeVar("B", bound=Block)

# This many values are kept; a grid of more starts again with none.
_MOST = 1024


class Memo:
    """What is made of objects that never change, such as blocks of configs: once for each of them.

    They are distinguished by identity, as blocks cannot be hashed and take long to compare.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Any, Any]] = {}

    def of(self, make: Callable[..., V], *objects: Any) -> V:
        """What this function, one of a module, makes of the objects."""
        key = (make, *map(id, objects))
        known = self._known.get(key)
        value: V = known[1] if known else self._keep(key, objects, make(*objects))
        return value

    def get(self, kind: Hashable, objects: tuple[Any, ...], make: Callable[[], V]) -> V:
        """The value of a kind for these objects, made unless there is one."""
        key = (kind, *map(id, objects))
        known = self._known.get(key)
        value: V = known[1] if known else self._keep(key, objects, make())
        return value

    def _keep(self, key: Hashable, objects: tuple[Any, ...], value: V) -> V:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = objects, value  # with the objects, so that no other has their identity
        return value


def changed(block: B, values: dict[str, Any], memo: Memo) -> B:
    """A copy of a block with other values: the same object for the same ones."""
    key = ("changed", *values.items())
    return memo.get(key, (block,), lambda: block.model_copy(update=values))


def built(block: NamedBlock, memo: Memo) -> Any:
    """What a block builds, once, to ask for its kind and cost; training builds one of its own."""
    return memo.of(type(block).build, block)


class ConfigCache:
    """Values by name, each made by the first run that needs it.

    `code` is the cache of all configs with the same compiled code and data, by default this one;
    `memo` that of the blocks of all configs of a grid, by default of this one alone.
    """

    def __init__(self, code: ConfigCache | None = None, memo: Memo | None = None) -> None:
        self._known: dict[str, Any] = {}
        self._code = code
        self.memo = memo or Memo()

    @property
    def code(self) -> ConfigCache:
        """Of all configs with the same compiled code and data."""
        return self._code or self

    def get(self, name: str, make: Callable[[], V]) -> V:
        """The value with this name, made if there is none yet."""
        if name not in self._known:
            self._known[name] = make()
        value: V = self._known[name]
        return value


class GridCache:
    """The last value of each kind, for settings that are prepared one after the other.

    `memo` keeps what is small for many of them.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}
        self.memo = Memo()

    def get(self, kind: str, key: object, make: Callable[[], V]) -> V:
        """The value of a kind for a key, made unless it is the last one of its kind."""
        if kind not in self._kept or self._kept[kind][0] != key:
            self._kept[kind] = key, make()
        value: V = self._kept[kind][1]
        return value
