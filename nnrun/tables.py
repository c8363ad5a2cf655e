"""Tables of parts by name, which plugins extend while nnrun runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

V = TypeVar("V")


class Table(dict[str, V]):
    """The parts of one kind by name.

    What is made of a table, such as the schema of configs, is made when it is used, since plugins
    add entries. A table is equal to itself alone, so that annotations can hold one.

    Args:
        kind: what an entry is, such as `layer`.
        entries: those of nnrun itself.
    """

    def __init__(self, kind: str, entries: Mapping[str, V]) -> None:
        super().__init__(entries)
        self.kind = kind
        self.own = frozenset(entries)

    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__


class Extended(dict[str, V]):
    """A table in which a name that is not there may be made from another table.

    Args:
        entries: those of nnrun itself.
        make: makes the entry of a name; None if there is none. Nothing made is kept, since a plugin
            may change.
    """

    def __init__(self, entries: Mapping[str, V], make: Callable[[str], V | None]) -> None:
        super().__init__(entries)
        self._make = make

    def __missing__(self, name: str) -> V:
        found = self._make(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or self._make(str(name)) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """The entry of this name."""
        try:
            return self[name]
        except KeyError:
            return default


class Chosen(Mapping[str, V]):
    """The entries of a table for which something holds, as they are when they are read."""

    def __init__(self, table: Mapping[str, V], holds: Callable[[str, V], bool]) -> None:
        self._table, self._holds = table, holds

    def __getitem__(self, name: str) -> V:
        if not self._holds(name, entry := self._table[name]):
            raise KeyError(name)
        return entry

    def __iter__(self) -> Iterator[str]:
        return (name for name, entry in self._table.items() if self._holds(name, entry))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Words(Collection[str]):
    """Some words and the names of some tables, in this order, as they are when they are read."""

    def __init__(self, first: tuple[str, ...], *tables: Collection[str]) -> None:
        self._parts = (first, *tables)

    def __contains__(self, word: object) -> bool:
        return any(word in part for part in self._parts)

    def __iter__(self) -> Iterator[str]:
        return (word for part in self._parts for word in part)

    def __len__(self) -> int:
        return sum(map(len, self._parts))
