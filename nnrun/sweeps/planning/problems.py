"""The problems of the configs of a sweep, each once, with the values that cause it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnrun.config.setting_words import choice_words
from nnrun.errors import MOST_SHOWN, ConfigError, Problem
from nnrun.sweeps.planning.arguments import Arguments

_MOST_NAMED = 3
_LONGEST_VALUE = 60


class PlanError(ConfigError):
    """All problems of all configs of a sweep."""

    def __init__(self, problems: Sequence[Problem], exit_code: int) -> None:
        super().__init__(problems)
        self.exit_code = exit_code


class Problems:
    """Collects problems by their texts.

    Args:
        arguments: of the sweep.
    """

    def __init__(self, arguments: Arguments) -> None:
        self.unwritten: set[str] = set()
        """The names of configs that are no files."""
        self._arguments = arguments
        self._found: dict[str, Problem] = {}
        self._files: dict[str, dict[str, None]] = {}
        self._codes: set[int] = set()

    def add(
        self,
        problems: Iterable[Problem],
        exit_code: int = 2,
        file: str | None = None,
        causes: Callable[[Problem], Mapping[str, Any]] = lambda problem: {},
    ) -> None:
        """Record problems, adding the name of the config where they name no place.

        `causes` returns the values that a new problem depends on, by key; messages name them,
        unless the problem stands at the one key that causes it.
        """
        for problem in problems:
            self._codes.add(exit_code)
            located = problem.place or problem.argument or problem.path == file
            found = problem
            if file in self.unwritten and not located:
                path = f"{file}: {problem.path}" if problem.path else file
                found = replace(problem, path=path)
            name = str(found)
            if name not in self._found:
                values = causes(problem) if len(self._found) < MOST_SHOWN else {}
                found = with_cause(found, values, self._arguments) if values else found
                self._found[name] = found
            if file is not None:
                self._files.setdefault(name, {})[file] = None

    def require_none(self, configs: int) -> None:
        """Raise a PlanError with all problems of this number of configs, if there are any.

        A problem of an argument names the configs that have it, if others have not.
        """
        if self._found:
            found = [
                _in_files(problem, [*self._files.get(name, ())], configs)
                for name, problem in self._found.items()
            ]
            raise PlanError(found, max(self._codes))


def _in_files(problem: Problem, files: Sequence[str], configs: int) -> Problem:
    if problem.argument is None or not 0 < len(files) < configs:
        return problem
    more = len(files) - _MOST_NAMED
    names = ", ".join(files[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return replace(problem, message=f"{problem.message} (in {names})")


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
