"""Python values as plain data of a config."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from nnrun.config.yaml.parse import KeyPath, format_path
from nnrun.errors import ConfigError, Problem


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
