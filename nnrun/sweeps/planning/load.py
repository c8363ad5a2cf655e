"""Grid of a config's `sweep` block and arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from nnrun.config.load import Content, Experiment, Origin, read_config
from nnrun.config.overrides import (
    apply_overrides,
    format_override,
    is_key,
    rate_within,
    replaced,
    steps_of,
)
from nnrun.config.schema.training import ScheduleConfig
from nnrun.config.settings import choice_words
from nnrun.config.source_map import Source
from nnrun.errors import MOST_SHOWN, ConfigError, Problem
from nnrun.runs.record import KEYS, SPLIT_SEED
from nnrun.sweeps.planning.arguments import Arguments, seeds_of
from nnrun.sweeps.planning.grid import Axis, Grid, load_with, overrides_of

# The problems of the configs of a sweep, each once, with the values that cause it.

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


_MOST_TRIED = 100
_LENGTHS = ["training.iterations", "training.epochs"]


def load_grid(origin: Origin, arguments: Arguments) -> Grid:
    """The grid of a config and of the arguments.

    Raises: ConfigError if the config is invalid with the first values of its grid.
    """
    content = read_config(origin)
    base = _base(content, arguments)
    sweep = base.config.sweep
    own = {} if sweep is None else sweep.grid
    places = (_place_of(base, steps_of(key), v) for key, v in arguments.grid.items())
    taken = {*arguments.grid, *(".".join(place) for place in places if place), "seed"}
    own = {key: values for key, values in own.items() if key not in taken}
    whole = {**own, **arguments.grid}
    grid = _without_replaced(content, base, whole, arguments)
    several = [key for key, values in grid.items() if len(values) > 1]
    given = arguments.iterations is not None
    axes = [Axis.of(key, values) for key, values in grid.items()] if own or several else []
    varied = [key for key in several if key not in KEYS]
    lengths = [key for key in _LENGTHS if given and len(whole.get(key, ())) > 1]
    return Grid(content.without_sweep(), arguments, base, axes, varied, lengths)


def _place_of(
    base: Experiment, steps: tuple[str, ...], values: Sequence[Any]
) -> tuple[str, ...] | None:
    """Place of a key's values in the config; None if not all stand at the same place.

    A number for a schedule is that of a key within.
    """
    block = getattr(getattr(base.config, "training", None), "learning_rate", None)
    if not isinstance(block, ScheduleConfig):
        return steps
    inner = [rate_within(steps, vars(block), value) for value in values]
    if any(inner):
        return (*steps, inner[0]) if inner[0] and all(inner) else None
    return steps


def _without_replaced(
    content: Content, base: Experiment, grid: dict[str, Sequence[Any]], arguments: Arguments
) -> dict[str, Sequence[Any]]:
    """The grid without keys of the config's own that arguments exclude.

    Raises: ConfigError if other values make no settings of their own.
    """
    gone = set() if arguments.iterations is None else {*_LENGTHS}
    problems = []
    grid_and_seeds = {k: v for k, v in grid.items() if k not in gone}
    if (splits := seeds_of(base, arguments.listed_seeds, arguments.seeds).splits) is not None:
        if len(grid.get(SPLIT_SEED, ())) > 1:
            message = "'sweep.seeds' gives the seeds of the split already; remove one of the two"
            raise ConfigError([Problem(message, SPLIT_SEED, argument=arguments.words[SPLIT_SEED])])
        grid_and_seeds[SPLIT_SEED] = splits[:1]
    for found in replaced(content.source.data, grid_and_seeds):
        word = arguments.words.get(found.key)
        if word is None and any(key in arguments.grid for key in found.excluded_by):
            gone.add(found.key)
        elif word is None:
            place = ("sweep", "grid", found.key, found.index)
            problems.append(base.problem(place, found.message))
        else:
            problems.append(Problem(found.message, found.key, argument=word))
    if problems:
        raise ConfigError(problems)
    return {key: values for key, values in grid.items() if key not in gone}


def _base(content: Content, arguments: Arguments) -> Experiment:
    """The config with the first value of each argument; where it makes these valid, also of its own
    grid. A sweep has a setting with these values, so if it is invalid, so is the sweep.

    Raises: ConfigError if it is invalid; a config is valid without its grid.
    """
    first = arguments.first
    try:
        return load_with(content, first, arguments)
    except ConfigError as error:
        problems = error.problems
    own = _first_of_own(content, arguments)
    if own and not {*problems} & {*_problems(content, {}, arguments)}:
        first = {**own, **first}
        try:
            return load_with(content, first, arguments)
        except ConfigError as error:
            problems = error.problems
    raise ConfigError(_all_problems(content, arguments, first, problems))


def _problems(content: Content, values: dict[str, Any], arguments: Arguments) -> Sequence[Problem]:
    """The problems of a config with these values."""
    try:
        load_with(content, values, arguments)
    except ConfigError as error:
        return error.problems
    return ()


def _first_of_own(content: Content, arguments: Arguments) -> dict[str, Any]:
    """The first value of each key of the config's own grid that no argument gives."""
    source = _with_own_grid(content, arguments)
    sweep = source.data.get("sweep") if isinstance(source.data, dict) else None
    grid = sweep.get("grid") if isinstance(sweep, dict) else None
    return {
        key: values[0]
        for key, values in (grid.items() if isinstance(grid, dict) else ())
        if isinstance(values, list)
        and values
        and is_key(key)
        and key not in {*arguments.grid, "seed"}
    }


def _with_own_grid(content: Content, arguments: Arguments) -> Source:
    """The config with arguments that set its own grid."""
    source = content.source.copy()
    block = {key: v for key, v in arguments.first.items() if steps_of(key)[0] == "sweep"}
    list(apply_overrides(source, overrides_of(block)))  # problems are found with all arguments
    return source


def _all_problems(
    content: Content,
    arguments: Arguments,
    first: Mapping[str, Any],
    problems: Iterable[Problem],
) -> Iterable[Problem]:
    """The problems of the first setting and of each other value of an argument.

    One that not all values have names the first that has it.
    """
    own = {format_override(k, v): k for k, v in first.items() if k not in arguments.grid}
    source = _with_own_grid(content, arguments)

    def relocated(problem: Problem) -> Problem:
        if problem.argument in own:
            place = ("sweep", "grid", own[problem.argument], 0)
            problem = replace(source.problem(place, problem.message), path=problem.path)
        return arguments.relocated(problem)

    found = {str(problem): problem for problem in map(relocated, problems)}
    at_first = {*found}
    causes: dict[str, dict[str, Any]] = {}
    others = ((key, value) for key, values in arguments.grid.items() for value in values[1:])
    for key, value in islice(others, _MOST_TRIED):
        wrong = map(relocated, _problems(content, {**first, key: value}, arguments))
        other = {str(problem): problem for problem in wrong}
        new = {name: problem for name, problem in other.items() if name not in found}
        found |= new
        causes |= {name: {key: value} for name in new}
        for name in at_first - {*other}:
            # A problem of its own may hide those at other keys.
            if {*other} <= at_first or found[name].argument == arguments.words[key]:
                causes.setdefault(name, {})[key] = first[key]
    return [
        with_cause(problem, causes[name], arguments) if name in causes else problem
        for name, problem in found.items()
    ]
