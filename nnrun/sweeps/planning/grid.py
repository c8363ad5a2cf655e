"""From arguments and a config's `sweep` block to grid points and seeds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import prod
from typing import Any

from nnrun.config.load import Experiment, Origin, load_config
from nnrun.config.names import changes_nothing
from nnrun.config.overrides import MAX_RANGE, format_override, parse_grid
from nnrun.config.schema.pydantic_errors import show
from nnrun.errors import ConfigError, Problem, UsageError

_SEED_LIMIT = 2**63
_MOST_SHOWN = 4
_RANGE = re.compile(r"\d+ ?(\.\.+|:|-|to) ?\d+")
_MOST_TRIED = 100


@dataclass(frozen=True)
class Arguments:
    """The arguments of a sweep, which apply to every config.

    Args:
        grid: the values for each dotted key, without `seed`.
        seed: the values given for `seed`.
        seeds: the requested number of seeds.
        iterations: replaces `iterations` or `epochs`.
        origin: for the override of each value, the argument it is from.
        most_runs: the largest number of runs of a sweep.
    """

    grid: dict[str, Sequence[Any]]
    seed: Sequence[Any]
    seeds: int | None
    iterations: int | None
    origin: dict[str, str]
    most_runs: int

    @classmethod
    def parse(
        cls,
        words: Sequence[str],
        seeds: int | None = None,
        iterations: int | None = None,
        most_runs: int = MAX_RANGE,
    ) -> Arguments:
        """Read arguments such as `training.learning_rate=0.1,0.01` and `seed=range(0,20)`.

        Raises:
            ConfigError: they cannot be read.
            UsageError: they contradict each other, or ask for more runs than there may be.
        """
        grid = parse_grid(words)
        refuse_too_many(prod(len(values) for values in grid.values()) * (seeds or 1), most_runs)
        origin = {
            format_override(key, value): word
            for word, (key, values) in zip(words, grid.items(), strict=True)
            for value in values
        }
        useless = [key for key, values in grid.items() if len(values) > 1 and changes_nothing(key)]
        if useless:
            place = list(grid).index(useless[0])
            message = f"'{useless[0]}' changes no result, so no sweep"
            raise ConfigError([Problem(message, argument=words[place])])
        seed = grid.pop("seed", ())
        if seeds is not None and len(seed) > 1:
            raise UsageError(
                f"--seeds {seeds}: the seeds are given by 'seed' already; remove one of the two"
            )
        return cls(grid, seed, seeds, iterations, origin, most_runs)

    def wrong_seeds(self) -> Iterator[Problem]:
        """One problem for all invalid values of `seed`."""
        wrong = [seed for seed in self.seed if not _is_seed(seed)]
        if wrong:
            shown = ", ".join(map(show, wrong[:_MOST_SHOWN])) + ", …" * (len(wrong) > _MOST_SHOWN)
            what = "is not a whole number" if len(wrong) == 1 else "are not whole numbers"
            word = self.origin[format_override("seed", wrong[0])]
            hint = next(map(_several_seeds, wrong))
            message = f"{shown} {what} of at least 0 and below 2**63{hint}"
            yield Problem(message, "seed", argument=word)

    def relocated(self, problem: Problem) -> Problem:
        """The problem with the argument as given, instead of the override of one value."""
        word = self.origin.get(problem.argument or "")
        return problem if word is None else replace(problem, argument=word)

    @property
    def base(self) -> list[str]:
        """The overrides of the first grid point."""
        return [format_override(key, values[0]) for key, values in self.grid.items()]


@dataclass(frozen=True)
class GridPoint:
    """One choice of a config's grid, loaded."""

    choice: dict[str, Any]
    experiment: Experiment
    locate: dict[str, Problem]

    def relocated(self, problem: Problem) -> Problem:
        """The problem at the place where the value was written, instead of its override."""
        place = self.locate.get(problem.argument or "")
        if place is None:
            return problem
        return Problem(problem.message, problem.path, place.place, place.argument)


def _several_seeds(wrong: Any) -> str:
    """A hint on how to give several seeds for values such as `[1, 2]`, `0..4`, `0:5`, `0-4`."""
    tried = isinstance(wrong, list) or (isinstance(wrong, str) and _RANGE.fullmatch(wrong))
    return "; several are seed=1,2,3 or 'seed=range(0,5)'" if tried else ""


def refuse_too_many(runs: int, most: int) -> None:
    """Check the number of runs before any is planned.

    Raises:
        UsageError: there are too many.
    """
    if runs > most:
        message = f"this sweep would have {runs:,} runs, and may have {most:,}"
        raise UsageError(f"{message}; --max-runs {runs} allows as many")


def seeds_of(experiment: Experiment, arguments: Arguments) -> Sequence[int]:
    """The seeds of a config's runs; arguments override the config.

    Invalid seeds among the arguments are left out; `wrong_seeds` reports them.

    Raises:
        ConfigError: they are too many or too large.
    """
    config, sweep = experiment.config, experiment.config.sweep
    if arguments.seed and arguments.seeds is None:
        return [*dict.fromkeys(int(seed) for seed in arguments.seed if _is_seed(seed))]
    wanted: int | list[Any] | None = arguments.seeds
    if wanted is None and sweep is not None:
        wanted = sweep.seeds if sweep.seeds is not None else sweep.grid.get("seed")
    if isinstance(wanted, list):
        return [*dict.fromkeys(map(int, wanted))]
    count = wanted or 1
    if config.seed + count > _SEED_LIMIT or count > MAX_RANGE:
        path = ("seed",) if count <= MAX_RANGE else ("sweep", "seeds")
        message = f"{count} seeds from {config.seed} on are too many or too large"
        raise ConfigError([experiment.problem(path, message)])
    return range(config.seed, config.seed + count)


@dataclass(frozen=True)
class Grid:
    """A config with all points of its grid, valid or not, and their number."""

    base: Experiment
    choices: Iterator[GridPoint | ConfigError]
    count: int


def load_grid(origin: Origin, arguments: Arguments) -> Grid:
    """The grid of a config and of the arguments.

    Raises:
        ConfigError: the config is invalid without its grid.
    """
    words = [*arguments.base, *_seed_override(arguments)]
    try:
        base = load_config(origin, words, arguments.iterations)
    except ConfigError as error:
        raise ConfigError(_all_problems(origin, arguments, error)) from error
    sweep = base.config.sweep
    own = {} if sweep is None else sweep.grid
    own = {key: values for key, values in own.items() if key not in {*arguments.grid, "seed"}}
    varied = [key for key, values in {**own, **arguments.grid}.items() if len(values) > 1]

    def points() -> Iterator[GridPoint | ConfigError]:
        grid = {**own, **arguments.grid}
        if not own and not varied:
            yield GridPoint({}, base, _origins(base, {}, {}, arguments))
            return
        for numbers in product(*(range(len(values)) for values in grid.values())):
            values = {key: grid[key][number] for key, number in zip(grid, numbers, strict=True)}
            places = dict(zip(grid, numbers, strict=True))
            choice = {key: values[key] for key in varied}
            yield _load(origin, base, values, choice, places, own, arguments)

    return Grid(base, points(), prod(len(values) for values in {**own, **arguments.grid}.values()))


def _all_problems(origin: Origin, arguments: Arguments, first: ConfigError) -> Iterable[Problem]:
    """The problems of the first grid point and of each other value of an argument."""
    found = {str(problem): problem for problem in map(arguments.relocated, first.problems)}
    firsts = {key: values[0] for key, values in arguments.grid.items()}
    others = ((key, value) for key, values in arguments.grid.items() for value in values[1:])
    for key, value in islice(others, _MOST_TRIED):
        words = [format_override(*item) for item in {**firsts, key: value}.items()]
        try:
            load_config(origin, [*words, *_seed_override(arguments)], arguments.iterations)
        except ConfigError as error:
            for problem in map(arguments.relocated, error.problems):
                found.setdefault(str(problem), problem)
    return found.values()


def _load(
    origin: Origin,
    base: Experiment,
    values: dict[str, Any],
    choice: dict[str, Any],
    places: dict[str, int],
    own: dict[str, list[Any]],
    arguments: Arguments,
) -> GridPoint | ConfigError:
    words = [format_override(key, value) for key, value in values.items()]
    origins = _origins(base, {key: values[key] for key in own}, places, arguments)
    point = GridPoint(choice, base, origins)
    try:
        experiment = load_config(origin, [*words, *_seed_override(arguments)], arguments.iterations)
    except ConfigError as error:
        return ConfigError(point.relocated(problem) for problem in error.problems)
    return GridPoint(choice, experiment, origins)


def _origins(
    base: Experiment, own: dict[str, Any], places: dict[str, int], arguments: Arguments
) -> dict[str, Problem]:
    """The origin of each override of a grid point: an argument, or the config's own grid."""
    origins = {word: Problem("", argument=given) for word, given in arguments.origin.items()}
    for key, value in own.items():
        place = base.problem(("sweep", "grid", key, places[key]), "")
        origins.setdefault(format_override(key, value), place)
    return origins


def _seed_override(arguments: Arguments) -> list[str]:
    """The seed to load a config with: the first valid one."""
    valid = (seed for seed in arguments.seed if _is_seed(seed))
    return [format_override("seed", seed) for seed in islice(valid, 1)]


def _is_seed(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < _SEED_LIMIT and value == int(value)
