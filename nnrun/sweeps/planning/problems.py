"""The problems of the configs of a sweep, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnrun.errors import ConfigError, Problem
from nnrun.sweeps.planning.grid.arguments import Arguments
from nnrun.sweeps.planning.grid.causes import with_cause

_MOST_NAMED = 3


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
        self.of_setting: set[str] = set()
        """The problems since it was last cleared."""
        self.unwritten: set[str] = set()
        """The names of configs that are no files."""
        self._arguments = arguments
        self._found: dict[str, Problem] = {}
        self._files: dict[str, dict[str, None]] = {}
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
            if file is not None:
                self._files.setdefault(name, {})[file] = None
            self.of_setting.add(name)

    def add_cause(self, name: str, values: Mapping[str, Any]) -> None:
        """Add the values that cause the problem with this text to its message.

        Unless it stands at the one key that causes it, or another config has it too.
        """
        problem = self._found[name]
        if str(problem) == name:
            self._found[name] = with_cause(problem, values, self._arguments)

    def kept(self) -> tuple[dict[str, Problem], set[int]]:
        """What was found so far, for `restore`."""
        return dict(self._found), set(self._codes)

    def restore(self, kept: tuple[dict[str, Problem], set[int]]) -> None:
        """Forget what was found since."""
        self._found, self._codes = kept

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
