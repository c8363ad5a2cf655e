"""From arguments and a config's `sweep` block to grid points."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, product
from math import prod
from typing import Any

from nnrun.config.content import Content, Origin, read_config
from nnrun.config.load import Experiment, load_block, load_content
from nnrun.config.names import changes_nothing
from nnrun.config.overrides import (
    MAX_RANGE,
    Override,
    apply_overrides,
    format_override,
    is_key,
    outermost_first,
    parse_grid,
    steps_of,
)
from nnrun.config.replaced import replaced
from nnrun.config.schema.base.pydantic_errors import show
from nnrun.config.schema.experiment import BesideConfig
from nnrun.config.settings import BESIDE
from nnrun.config.yaml.source_map import Source, copied
from nnrun.errors import ConfigError, Problem, UsageError
from nnrun.runs.replicate import KEYS
from nnrun.sweeps.planning.axes import Axis, axes_of
from nnrun.sweeps.planning.blocks import KnownBlocks
from nnrun.sweeps.planning.seeds import is_seed

_MODELS = "sweep.beside"
_MOST_SHOWN = 4
_RANGE = re.compile(r"\d+ ?(\.\.+|:|-|to) ?\d+")
_MOST_TRIED = 100
_LENGTHS = ("training.iterations", "training.epochs")
"""What `--iterations` replaces."""


@dataclass(frozen=True)
class Arguments:
    """The arguments of a sweep, which apply to every config.

    Args:
        grid: the values for each dotted key, without `seed`.
        seed: the values given for `seed`.
        seeds: the requested number of seeds.
        iterations: replaces `iterations` or `epochs`.
        words: the argument of each key.
        most_runs: the largest number of runs of a sweep.
        beside: models of scikit-learn to train as well; None for those that a config names.
    """

    grid: dict[str, Sequence[Any]]
    seed: Sequence[Any]
    seeds: int | None
    iterations: int | None
    words: dict[str, str]
    most_runs: int
    beside: Sequence[str] | None = None

    @classmethod
    def parse(
        cls,
        words: Sequence[str],
        seeds: int | None = None,
        iterations: int | None = None,
        most_runs: int = MAX_RANGE,
        beside: Sequence[str] | None = None,
    ) -> Arguments:
        """Read arguments such as `training.learning_rate=0.1,0.01` and `seed=range(0,20)`.

        Raises: ConfigError if they cannot be read; UsageError if they contradict each other, or ask
        for more runs than there may be.
        """
        grid = parse_grid(words)
        if len(models := grid.get(_MODELS, ())) > 1:
            grid[_MODELS] = [[*models]]  # a list of models, and no values to try
        refuse_too_many(prod(len(values) for values in grid.values()) * (seeds or 1), most_runs)
        given = dict(zip(grid, words, strict=True))
        useless = [key for key, values in grid.items() if len(values) > 1 and changes_nothing(key)]
        if useless:
            message = f"'{useless[0]}' changes no result, so no sweep"
            raise ConfigError([Problem(message, argument=given[useless[0]])])
        seed = grid.pop("seed", ())
        if seeds is not None and len(seed) > 1:
            raise UsageError(
                f"--seeds {seeds}: the seeds are given by 'seed' already; remove one of the two"
            )
        return cls(grid, seed, seeds, iterations, given, most_runs, beside)

    def wrong_seeds(self) -> Iterator[Problem]:
        """One problem for all invalid values of `seed`."""
        wrong = [seed for seed in self.seed if not is_seed(seed)]
        if wrong:
            shown = ", ".join(map(show, wrong[:_MOST_SHOWN])) + ", …" * (len(wrong) > _MOST_SHOWN)
            what = "is not a whole number" if len(wrong) == 1 else "are not whole numbers"
            hint = next(map(_several_seeds, wrong))
            message = f"{shown} {what} of at least 0 and below 2**63{hint}"
            yield Problem(message, "seed", argument=self.words["seed"])

    def relocated(self, problem: Problem) -> Problem:
        """The problem with the argument as given, instead of the override of one value."""
        key, equals, _ = (problem.argument or "").partition("=")
        word = self.words.get(key) if equals else None
        return problem if word is None else replace(problem, argument=word)

    @property
    def first(self) -> dict[str, Any]:
        """The first value of each key."""
        return {key: values[0] for key, values in self.grid.items()}

    @property
    def first_seed(self) -> dict[str, Any]:
        """The first valid seed by its key, if there is any, to load a config with."""
        valid = next(filter(is_seed, self.seed), None)
        return {} if valid is None else {"seed": valid}


@dataclass(frozen=True)
class GridPoint:
    """One choice of a config's grid, loaded."""

    choice: dict[str, Any]
    experiment: Experiment
    origins: Callable[[], Mapping[str, Problem]] = dict

    def relocated(self, problem: Problem) -> Problem:
        """The problem at the place where the value was written, instead of its override."""
        place = self.origins().get(problem.argument or "")
        if place is None:
            return problem
        return Problem(problem.message, problem.path, place.place, place.argument)


def _several_seeds(wrong: Any) -> str:
    """A hint on how to give several seeds for values such as `[1, 2]`, `0..4`, `0:5`, `0-4`."""
    tried = isinstance(wrong, list) or (isinstance(wrong, str) and _RANGE.fullmatch(wrong))
    return "; several are seed=1,2,3 or 'seed=range(0,5)'" if tried else ""


def refuse_too_many(runs: int, most: int) -> None:
    """Check the number of runs before any is planned.

    Raises: UsageError if there are too many.
    """
    if runs > most:
        message = f"this sweep would have {runs:,} runs, and may have {most:,}"
        raise UsageError(f"{message}; --max-runs {runs} allows as many")


@dataclass(frozen=True)
class Grid:
    """A config with the axes of its grid.

    Args:
        content: the config without its `sweep` block.
        arguments: of the sweep.
        base: the config with the first value of each argument, and of its own grid if it needs it.
        axes: one for each key.
        varied: the keys with several values that differ between settings, not between runs of one.
    """

    content: Content
    arguments: Arguments
    base: Experiment
    axes: Sequence[Axis]
    varied: Sequence[str]

    @property
    def count(self) -> int:
        """How many settings there are, those that are equal included."""
        return prod(axis.count for axis in self.axes)

    @property
    def checks(self) -> int:
        """How many settings are checked, for all."""
        return prod(len(axis.groups) for axis in self.axes)

    @property
    def count_of_folds(self) -> int:
        """How many settings there are, each as often as it has folds to train."""
        block = self.base.config.dataset
        values = {axis.key: axis.values for axis in self.axes}
        if "dataset.fold" in values or block.fold is not None:
            return self.count
        numbers = values.get("dataset.folds", [block.folds])
        known = [number if isinstance(number, int) and number > 0 else 1 for number in numbers]
        return self.count * sum(known) // len(numbers)

    def combinations(self) -> Iterator[tuple[tuple[int, ...], GridPoint | ConfigError]]:
        """Each combination of the groups of all axes, with its first setting, valid or not."""
        known = KnownBlocks(self.axes, self._load_block)
        for groups in product(*(range(len(axis.groups)) for axis in self.axes)):
            chosen = zip(self.axes, groups, strict=True)
            yield groups, self._load([axis.groups[group][0] for axis, group in chosen], known)

    def choice(self, positions: Iterable[int]) -> dict[str, Any]:
        """What varies in a setting, given by the positions of its values on the axes.

        A model of scikit-learn is named, so that it is not taken for a network.
        """
        config, chosen = self.base.config, zip(self.axes, positions, strict=True)
        model = {BESIDE: config.beside} if isinstance(config, BesideConfig) else {}
        found = {axis.key: axis.values[at] for axis, at in chosen if axis.key in self.varied}
        return found | model | found

    def number(self, positions: Iterable[int]) -> int:
        """The index of a setting in the product of the axes."""
        number = 0
        for axis, at in zip(self.axes, positions, strict=True):
            number = number * len(axis.values) + at
        return number

    @property
    def size(self) -> int:
        """How many different settings there are at most."""
        return prod(len(axis.values) for axis in self.axes)

    def _load(self, positions: Sequence[int], known: KnownBlocks) -> GridPoint | ConfigError:
        choice, origins = self.choice(positions), partial(self._origins, positions)
        if not self.axes:
            return GridPoint(choice, self.base, origins)
        load = partial(self._loaded, positions)
        experiment = known.put_together(positions, load)
        if experiment is None:
            try:
                experiment = load()
            except ConfigError as error:
                point = GridPoint(choice, self.base, origins)
                return ConfigError(point.relocated(problem) for problem in error.problems)
            known.keep(positions, experiment)
        return GridPoint(choice, experiment, origins)

    def _load_block(self, key: str, values: Mapping[str, Any]) -> tuple[Any, Any] | None:
        overrides = [
            Override(name, steps_of(name), copied(value)) for name, value in values.items()
        ]
        return load_block(self.content, key, outermost_first(overrides), self.arguments.iterations)

    def _loaded(self, positions: Sequence[int]) -> Experiment:
        chosen = zip(self.axes, positions, strict=True)
        values = {axis.key: axis.values[at] for axis, at in chosen}
        return _load_with(self.content, values, self.arguments)

    def _origins(self, positions: Sequence[int]) -> dict[str, Problem]:
        """The origin of each override of a setting: an argument, or the config's own grid."""
        words = self.arguments.words
        given = {**self.arguments.first, **self.arguments.first_seed}
        origins = {
            format_override(key, value): Problem("", argument=words[key])
            for key, value in given.items()
        }
        for axis, at in zip(self.axes, positions, strict=True):
            path, word = ("sweep", "grid", axis.key, axis.places[at]), words.get(axis.key)
            origin = self.base.problem(path, "") if word is None else Problem("", argument=word)
            origins[format_override(axis.key, axis.values[at])] = origin
        return origins


def load_grid(origin: Origin, arguments: Arguments) -> Grid:
    """The grid of a config and of the arguments.

    Raises: ConfigError if the config is invalid with the first values of its grid.
    """
    content = read_config(origin)
    base = _base(content, arguments)
    sweep = base.config.sweep
    own = {} if sweep is None else sweep.grid
    own = {key: values for key, values in own.items() if key not in {*arguments.grid, "seed"}}
    grid = _without_replaced(content, base, {**own, **arguments.grid}, arguments)
    several = [key for key, values in grid.items() if len(values) > 1]
    axes = axes_of(grid, base.config) if own or several else []
    varied = [key for key in several if key not in KEYS]
    return Grid(content.without_sweep(), arguments, base, axes, varied)


def _without_replaced(
    content: Content, base: Experiment, grid: dict[str, Sequence[Any]], arguments: Arguments
) -> dict[str, Sequence[Any]]:
    """The grid without keys of the config's own that arguments exclude.

    Raises: ConfigError if other values make no settings of their own.
    """
    gone = set() if arguments.iterations is None else {*_LENGTHS}
    problems = []
    for found in replaced(content.source.data, {k: v for k, v in grid.items() if k not in gone}):
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
        return _load_with(content, first, arguments)
    except ConfigError as error:
        problems = error.problems
    own = _first_of_own(content, arguments)
    if own and not {*problems} & {*_problems(content, {}, arguments)}:
        first = {**own, **first}
        try:
            return _load_with(content, first, arguments)
        except ConfigError as error:
            problems = error.problems
    raise ConfigError(_all_problems(content, arguments, first, problems))


def _problems(content: Content, values: dict[str, Any], arguments: Arguments) -> Sequence[Problem]:
    """The problems of a config with these values."""
    try:
        _load_with(content, values, arguments)
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
    """The problems of the first setting and of each other value of an argument."""
    own = {format_override(k, v): k for k, v in first.items() if k not in arguments.grid}
    source = _with_own_grid(content, arguments)

    def relocated(problem: Problem) -> Problem:
        if problem.argument in own:
            place = ("sweep", "grid", own[problem.argument], 0)
            problem = replace(source.problem(place, problem.message), path=problem.path)
        return arguments.relocated(problem)

    found = {str(problem): problem for problem in map(relocated, problems)}
    others = ((key, value) for key, values in arguments.grid.items() for value in values[1:])
    for key, value in islice(others, _MOST_TRIED):
        for problem in map(relocated, _problems(content, {**first, key: value}, arguments)):
            found.setdefault(str(problem), problem)
    return found.values()


def _load_with(content: Content, values: dict[str, Any], arguments: Arguments) -> Experiment:
    overrides = overrides_of({**values, **arguments.first_seed})
    return load_content(content, overrides, arguments.iterations)


def overrides_of(values: Mapping[str, Any]) -> list[Override]:
    """Those of dotted keys, each with a value of its own, which others may change."""
    return outermost_first(
        Override(format_override(key, value), steps_of(key), copied(value))
        for key, value in values.items()
    )
