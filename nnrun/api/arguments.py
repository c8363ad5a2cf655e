"""Helpful errors for unknown arguments and invalid numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import wraps
from inspect import signature
from operator import index
from typing import Any, ParamSpec, TypeVar

from nnrun.errors import UsageError
from nnrun.plugins.loading import load, load_ambient
from nnrun.suggestions import nearest

P = ParamSpec("P")
R = TypeVar("R")


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with an error for unknown keywords that names the setting that was meant.

    Settings of a config are given as `overrides`, and not as arguments. Plugins are loaded first:
    those of installed packages and of NNRUN_PLUGINS, and the files of the argument `plugins`.
    """
    known = signature(function).parameters

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in kwargs.items():
            if name not in known:
                hint = _hint(name, value, known)
                raise TypeError(f"nnrun.{function.__name__} has no argument '{name}'{hint}")
        load_ambient()
        files: Any = kwargs.get("plugins", ())
        load(*([files] if isinstance(files, str | os.PathLike) else files))
        return function(*args, **kwargs)

    return call


def at_least_one(name: str, value: int | None) -> int | None:
    """A whole number of at least 1, such as a number of threads; None stands for the default.

    Raises:
        UsageError: the value is no whole number, or less than 1.
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
    from nnrun.config.hints import place_of  # noqa: PLC0415  # slow to import

    near = nearest(name, known)
    place = place_of(name) if "overrides" in known else None
    if place is not None and near is None:
        return f"; settings are overrides, as in overrides={{{place!r}: {value!r}}}"
    return f"; did you mean '{near}'?" if near else f"; there are {', '.join(known)}"
