"""The values of a grid that cause a problem, in its message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnrun.config.setting_words import choice_words
from nnrun.errors import Problem
from nnrun.sweeps.planning.grid.arguments import Arguments

_LONGEST_VALUE = 60


def with_cause(problem: Problem, values: Mapping[str, Any], arguments: Arguments) -> Problem:
    """The problem with the values that cause it, unless it stands at the one key that does.

    Args:
        problem: of a setting.
        values: by their keys.
        arguments: of the sweep.
    """
    if len(values) == 1 and _is_at(problem, *next(iter(values.items())), arguments.words):
        return problem
    causes = [
        _numbered(key, value, arguments.grid[key])
        if len(words) > _LONGEST_VALUE and key in arguments.grid
        else words
        for (key, value), words in zip(values.items(), choice_words(values), strict=True)
    ]
    return replace(problem, message=f"{problem.message} (with {', '.join(causes)})")


def _numbered(key: str, value: Any, given: Sequence[Any]) -> str:
    """The place of a long value among those of its argument."""
    at = [*map(repr, given)].index(repr(value))  # 1 and true are two
    return f"value {at + 1} of {len(given)} of {key}"


def _is_at(problem: Problem, key: str, value: Any, words: Mapping[str, str]) -> bool:
    """Whether a problem is shown at the value of a key of the grid.

    An argument is shown with all its values, and messages have those that are no lists or mappings.
    """
    path, key_path = _dotted(problem.path), _dotted(key)
    if problem.argument is None:
        return f"{path}.".startswith(f"{key_path}.")
    if isinstance(value, list | dict):
        return False
    return problem.argument == words.get(key) and path == key_path


def _dotted(key: str) -> str:
    return key.replace("[", ".").replace("]", "")
