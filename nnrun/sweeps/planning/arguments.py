"""What a sweep is asked for: its arguments, and the seeds of its runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from nnrun.config.load import Experiment
from nnrun.config.names import changes_nothing
from nnrun.config.overrides import MAX_RANGE, parse_grid, steps_of
from nnrun.config.schema.block import show
from nnrun.config.schema.training import CrossedSeeds
from nnrun.config.yaml import KeyPath
from nnrun.errors import ConfigError, Problem, UsageError

_SEEDS = ("sweep", "seeds")
_MODELS = "sweep.beside"
_MOST_SHOWN = 4
_LIMIT = 2**63
_RANGE = re.compile(r"\d+ ?(\.\.+|:|-|to) ?\d+")


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
        found = cls(grid, seed, seeds, iterations, given, most_runs, beside)
        if found._counts and len(seed) > 1:
            raise UsageError(
                f"{found._counts[0]}: the seeds are given by 'seed' already; remove one of the two"
            )
        return found

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
    def listed_seeds(self) -> Sequence[Any]:
        """The values of `seed`, unless another argument counts seeds from it on."""
        return () if self._counts else self.seed

    @property
    def first(self) -> dict[str, Any]:
        """The first value of each key."""
        return {key: values[0] for key, values in self.grid.items()}

    @property
    def first_seed(self) -> dict[str, Any]:
        """The first valid seed by its key, if there is any, to load a config with."""
        valid = next(filter(is_seed, self.seed), None)
        return {} if valid is None else {"seed": valid}

    @property
    def _counts(self) -> Sequence[str]:
        """The arguments that say how many seeds there are, or which."""
        number = [] if self.seeds is None else [f"--seeds {self.seeds}"]
        block = [word for key, word in self.words.items() if steps_of(key)[:2] == _SEEDS]
        return [*number, *block]


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
class Seeds:
    """The seeds of a config's runs.

    Args:
        weights: of everything that is random, but for the split where that has seeds of its own.
        splits: of the split; None where `weights` draw it too, or the config names one seed.
    """

    weights: Sequence[int]
    splits: Sequence[int | None] | None = None

    def __len__(self) -> int:
        return len(self.weights) * (1 if self.splits is None else len(self.splits))


def is_seed(value: Any) -> bool:
    """Whether a value of an argument is a seed; 3.0 is."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < _LIMIT and value == int(value)


def seeds_of(experiment: Experiment, given: Sequence[Any], number: int | None) -> Seeds:
    """The seeds of a config's runs; arguments override the config.

    `given` are the values of the argument `seed`, of which invalid ones are left out here; `number`
    is that of --seeds.

    Raises: ConfigError if they are too many or too large.
    """
    config, sweep = experiment.config, experiment.config.sweep
    if given and number is None:
        return Seeds([*dict.fromkeys(int(seed) for seed in given if is_seed(seed))])
    wanted: int | Sequence[Any] | CrossedSeeds | None = number
    if wanted is None and sweep is not None:
        wanted = sweep.seeds if sweep.seeds is not None else sweep.grid.get("seed")
    if not isinstance(wanted, CrossedSeeds):
        return Seeds(_counted(wanted, config.seed, ("sweep", "seeds"), experiment))
    first = config.dataset.split.seed
    path: KeyPath = ("sweep", "seeds")
    return Seeds(
        _counted(wanted.weights, config.seed, (*path, "weights"), experiment),
        _counted(
            wanted.split, config.seed if first is None else first, (*path, "split"), experiment
        ),
    )


def _counted(
    wanted: int | Sequence[Any] | None, first: int, path: KeyPath, experiment: Experiment
) -> Sequence[int]:
    """A list as it is, or this many from the first on."""
    if wanted is not None and not isinstance(wanted, int):
        return [*dict.fromkeys(map(int, wanted))]
    count = wanted or 1
    if first + count > _LIMIT or count > MAX_RANGE:
        where = ("seed",) if count <= MAX_RANGE else path
        message = f"{count} seeds from {first} on are too many or too large"
        raise ConfigError([experiment.problem(where, message)])
    return range(first, first + count)
