"""From a config's `sweep` block and arguments to its grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from nnrun.config.content import Content, Origin, read_config
from nnrun.config.load import Experiment
from nnrun.config.overrides import (
    apply_overrides,
    format_override,
    is_key,
    rate_within,
    steps_of,
)
from nnrun.config.replaced import replaced
from nnrun.config.schema.training import ScheduleConfig
from nnrun.config.yaml.source_map import Source
from nnrun.errors import ConfigError, Problem
from nnrun.runs.replicate import KEYS, SPLIT_SEED
from nnrun.sweeps.planning.arguments import Arguments, seeds_of
from nnrun.sweeps.planning.grid import Axis, Grid, load_with, overrides_of
from nnrun.sweeps.planning.problems import with_cause

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
    """Where the values of a key stand in the config; None if not all stand at the same place.

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
