"""Arguments that a function does not have, with what was meant; and numbers that make no sense."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from inspect import signature
from operator import index
from typing import ParamSpec, TypeVar

from nnrun.errors import UsageError
from nnrun.suggestions import nearest

P = ParamSpec("P")
R = TypeVar("R")


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """The function; a keyword that it does not have is told with the setting of that name.

    Settings of a config are no arguments but overrides, which not everybody tries first.
    """
    known = signature(function).parameters

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in kwargs.items():
            if name not in known:
                hint = _hint(name, value, known)
                raise TypeError(f"nnrun.{function.__name__} has no argument '{name}'{hint}")
        return function(*args, **kwargs)

    return call


def at_least_one(name: str, value: int | None) -> int | None:
    """The value of this argument, such as a number of threads; None stands for the default.

    Raises:
        UsageError: it is no whole number, or less than one.
    """
    if value is None:
        return None
    try:
        number = index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise UsageError(f"{name}={value!r}: a whole number of at least 1 is needed")
    return number


def _hint(name: str, value: object, known: Collection[str]) -> str:
    from nnrun.config.hints.key_locations import place_of  # noqa: PLC0415  # slow to import, for mistakes only

    near = nearest(name, known)
    place = place_of(name) if "overrides" in known else None
    if place is not None and near is None:
        return f"; settings are overrides, as in overrides={{{place!r}: {value!r}}}"
    return f"; did you mean '{near}'?" if near else f"; there are {', '.join(known)}"
