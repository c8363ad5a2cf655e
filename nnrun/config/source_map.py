"""The origin of each part of a config: a place in its file, or an argument."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from nnrun.config.yaml import Document, KeyPath, format_path
from nnrun.errors import ConfigError, Place, Problem

# Python values as plain data of a config.


def plain(value: Any) -> Any:
    """A copy made of mappings, lists, numbers, strings, truth values and None.

    Tuples and ranges become lists, paths strings, and numbers of NumPy those of Python.

    Raises:
        ConfigError: it holds other values, or keys that are not strings.
    """
    problems: list[Problem] = []
    copied = _plain(value, (), problems, ())
    if problems:
        raise ConfigError(problems)
    return copied


def _plain(value: Any, path: KeyPath, problems: list[Problem], above: tuple[int, ...]) -> Any:
    if id(value) in above:
        problems.append(Problem("this holds itself", format_path(path)))
        return None
    if isinstance(value, Mapping):
        problems += [
            Problem(f"the key {key!r} is not a string", format_path(path))
            for key in value
            if not isinstance(key, str)
        ]
        inside = (*above, id(value))
        return {
            key: _plain(item, (*path, key), problems, inside)
            for key, item in value.items()
            if isinstance(key, str)
        }
    if isinstance(value, list | tuple | range):
        inside = (*above, id(value))
        return [_plain(v, (*path, i), problems, inside) for i, v in enumerate(value)]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), path, problems, above)
    message = f"a value of type {type(value).__name__} cannot stand in a config"
    problems.append(Problem(message, format_path(path)))
    return None


Part = Literal["value", "key", "block"]
"""What to point at: the value, its key, or the name of its mapping (for a missing key)."""


def copied(data: Any) -> Any:
    """A copy of plain data that can be changed."""
    if isinstance(data, dict):
        return {key: copied(value) for key, value in data.items()}
    return [copied(value) for value in data] if isinstance(data, list) else data


@dataclass
class Source(Document):
    """The plain data of a config with the origin of all of it, in its file or in arguments."""

    arguments: dict[KeyPath, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # on what arguments replaced

    def copy(self) -> Source:
        """A copy that can be changed."""
        return replace(
            self,
            data=copied(self.data),
            keys=dict(self.keys),
            values=dict(self.values),
            arguments=dict(self.arguments),
            notes=[*self.notes],
        )

    def problem(self, path: KeyPath, message: str, part: Part = "value") -> Problem:
        """A problem at `path`, or at the nearest path above it that exists."""
        path = self._as_written(path)
        name = format_path(path)
        for gone, argument in self.arguments.items():
            # A block that `null` took away, and that is needed.
            is_gone = gone[:-1] == path and gone[-1] not in (self.at(path) or {})
            if part == "block" and is_gone and f"needs '{gone[-1]}'" in message:
                return Problem(message, name, argument=argument)
        for length in range(len(path), -1, -1):
            above = path[:length]
            if above in self.arguments:
                return Problem(message, name, argument=self.arguments[above])
            if above in self.values:
                return Problem(message, name, place=self._place(above, path, part))
        return Problem(message, name)

    def _place(self, found: KeyPath, wanted: KeyPath, part: Part) -> Place:
        value = self.values[found]
        key = self.keys.get(found, value)
        if found == wanted:
            return value if part == "value" or (part == "block" and key.line == value.line) else key
        return key

    def _as_written(self, path: KeyPath) -> KeyPath:
        """The path in the form that the file uses.

        A layer of the short form stands in `sizes` and `activations`; and what is inside of a
        block that was written as a single word (`optimizer: sgd`) is that word.
        """
        if path[:2] == ("network", "layers") and len(path) > 2 and self._has_short_form(path):
            column = "activations" if path[3:4] == ("activation",) else "sizes"
            return ("network", column, path[2])
        data: Any = self.data
        for length, step in enumerate(path):
            if data is None:
                return path
            if isinstance(data, str | int | float):
                return path[:length]
            if step not in (data if isinstance(data, dict) else range(len(data))):
                return path
            data = data[step]
        return path

    def _has_short_form(self, path: KeyPath) -> bool:
        overridden = any(path[:n] in self.arguments for n in range(3, len(path) + 1))
        network = self.data.get("network") if isinstance(self.data, dict) else None
        return (
            not overridden
            and ("network", "layers") not in self.keys
            and (
                any(("network", "sizes") in places for places in (self.keys, self.arguments))
                or (isinstance(network, dict) and "sizes" in network)
            )
        )

    def forget(self, path: KeyPath) -> None:
        """Remove the origins of everything at and below `path`, before its data is replaced."""
        below = [(path, self.at(path))]
        while below:
            known, data = below.pop()
            for origin in (self.keys, self.values, self.arguments):
                origin.pop(known, None)
            if isinstance(data, dict | list):
                items = data.items() if isinstance(data, dict) else enumerate(data)
                below += [((*known, step), value) for step, value in items]

    def at(self, path: KeyPath) -> Any:
        """The data at a path, or None where there is none."""
        data = self.data
        for step in path:
            if isinstance(data, list) and isinstance(step, int) and step < len(data):
                data = data[step]
            elif isinstance(data, dict):
                data = data.get(step)
            else:
                return None
        return data


def in_order(problems: list[Problem], arguments: Sequence[str] = ()) -> Iterator[Problem]:
    """Problems in the order of the file, then those of the arguments, each once."""
    order: dict[str | None, int] = {}
    for number, argument in enumerate(arguments):
        order.setdefault(argument, number)

    def position(problem: Problem) -> tuple[int, int, int]:
        if problem.place is not None:
            return 0, problem.place.line, problem.place.column
        return 1, order.get(problem.argument, len(arguments)), 0

    seen = set()
    for problem in sorted(problems, key=position):
        what = (problem.place or problem.argument or problem.path, problem.message)
        if what not in seen:
            seen.add(what)
            yield problem
