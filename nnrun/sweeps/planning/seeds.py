"""The seeds of a sweep: one for each run, or seeds of splits crossed with those of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.load import Experiment
from nnrun.config.schema.sweep import CrossedSeeds
from nnrun.config.several import MAX_RANGE
from nnrun.config.yaml.parse import KeyPath
from nnrun.errors import ConfigError

_LIMIT = 2**63


@dataclass(frozen=True)
class Seeds:
    """The seeds of a config's runs.

    Args:
        weights: of everything that is random, but for the split where that has seeds of its own.
        splits: of the split; None where `weights` draw it too, or the config names one seed.
    """

    weights: Sequence[int]
    splits: Sequence[int] | None = None

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
