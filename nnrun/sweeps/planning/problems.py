"""The problems of the configs of a sweep, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnrun.config.settings import choice_words
from nnrun.errors import ConfigError, Problem


class PlanError(ConfigError):
    """All problems of all configs of a sweep."""

    def __init__(self, problems: Sequence[Problem], exit_code: int) -> None:
        super().__init__(problems)
        self.exit_code = exit_code


class Problems:
    """Collects problems by their texts.

    Args:
        words: of the arguments, by the keys of the grid.
    """

    def __init__(self, words: Mapping[str, str]) -> None:
        self.of_setting: set[str] = set()
        """The problems since it was last cleared."""
        self.unwritten: set[str] = set()
        """The names of configs that are no files."""
        self._words = words
        self._found: dict[str, Problem] = {}
        self._codes: set[int] = set()

    def add(self, problems: Iterable[Problem], exit_code: int = 2, file: str | None = None) -> None:
        """Record problems, adding the name of the config where they name no place."""
        for problem in problems:
            self._codes.add(exit_code)
            located = problem.place or problem.argument or problem.path == file
            if file in self.unwritten and not located:
                path = f"{file}: {problem.path}" if problem.path else file
                found = replace(problem, path=path)
            else:
                found = problem
            name = str(found)
            self._found.setdefault(name, found)
            self.of_setting.add(name)

    def add_cause(self, name: str, values: Mapping[str, Any]) -> None:
        """Add the values that cause the problem with this text to its message.

        Unless it stands at the one key that causes it, or another config has it too.
        """
        problem = self._found[name]
        if str(problem) == name:
            self._found[name] = with_cause(problem, values, self._words)

    def kept(self) -> tuple[dict[str, Problem], set[int]]:
        """What was found so far, for `restore`."""
        return dict(self._found), set(self._codes)

    def restore(self, kept: tuple[dict[str, Problem], set[int]]) -> None:
        """Forget what was found since."""
        self._found, self._codes = kept

    def require_none(self) -> None:
        """Raise a PlanError with all problems, if there are any."""
        if self._found:
            raise PlanError(list(self._found.values()), max(self._codes))


def with_cause(problem: Problem, values: Mapping[str, Any], words: Mapping[str, str]) -> Problem:
    """The problem with the values that cause it, unless it stands at the one key that does.

    Args:
        problem: of a setting.
        values: by their keys.
        words: of the arguments, by their keys.
    """
    if len(values) == 1 and _is_at(problem, next(iter(values)), words):
        return problem
    message = f"{problem.message} (with {', '.join(choice_words(values))})"
    return replace(problem, message=message)


def _is_at(problem: Problem, key: str, words: Mapping[str, str]) -> bool:
    """Whether a problem is shown at the values of a key of the grid."""
    if problem.argument is not None:
        return problem.argument == words.get(key)
    return f"{_dotted(problem.path)}.".startswith(f"{_dotted(key)}.")


def _dotted(key: str) -> str:
    return key.replace("[", ".").replace("]", "")
