"""The decorator that plugins register their parts with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Registration:
    """A part as its module registers it, before it is checked."""

    kind: str
    name: str
    entry: Any
    options: Mapping[str, Any]
    file: str
    line: int


_by_module: dict[str, tuple[Any, list[Registration]]] = {}
"""What each module registers, beside its names, which distinguish it from one imported before."""


def register(kind: str, name: str, **options: Any) -> Callable[[T], T]:
    """Register the decorated class or function as a part with this name.

    The part becomes known where its file or package is loaded as a plugin; importing it does no
    more than importing any module.

    Args:
        kind: `layer`, `activation`, `loss`, `optimizer`, `initializer`, `schedule`, `step`,
            `metric` or `dataset`.
        name: as configs will write it: lower case letters, digits and `_`.
        options: of a metric, `needs` ("values", "labels" or "probabilities"), `larger_is_better`,
            `low` and `high`; of an initializer, `biases`, whether it draws biases too.
    """
    frame = sys._getframe(1)
    module, file, line = frame.f_globals["__name__"], frame.f_code.co_filename, frame.f_lineno

    def decorate(entry: T) -> T:
        attribute = {"step": "name", "dataset": None, "metric": None, "initializer": None}
        named = attribute.get(kind, "type")
        if named and isinstance(entry, type) and not vars(entry).get(named):
            setattr(entry, named, name)
        _add(module, frame.f_globals, Registration(kind, name, entry, options, file, line))
        return entry

    return decorate


def _add(module: str, names: dict[str, Any], new: Registration) -> None:
    known, found = _by_module.get(module, (None, []))
    if known is not names:
        found = []
    # The same line registers again where a module is reloaded.
    others = [one for one in found if (one.name, one.line) != (new.name, new.line)]
    _by_module[module] = names, [*others, new]


def forget(module: str) -> None:
    """Forget what a module registered, before it is run again."""
    _by_module.pop(module, None)


def registered(package: str) -> list[Registration]:
    """What a module, or the modules of a package, have registered."""
    return [
        one
        for module, (_, found) in _by_module.items()
        if module == package or module.startswith(f"{package}.")
        for one in found
    ]
