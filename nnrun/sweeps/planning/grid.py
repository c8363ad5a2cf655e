"""The settings of a grid: every combination of the values of its keys, each a config."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress, product
from math import prod
from typing import Any

import numpy as np

from nnrun.config.load import Content, Experiment, load_content
from nnrun.config.names import BESIDE
from nnrun.config.overrides import Override, format_override, outermost_first, steps_of
from nnrun.config.schema.experiment import NO_LOSS, BesideConfig
from nnrun.config.settings import BESIDE as BESIDE_KEY
from nnrun.config.source_map import copied
from nnrun.errors import ConfigError, Problem, UsageError
from nnrun.metrics.table import LOSS
from nnrun.runs.preparation.build import infer_task
from nnrun.runs.record import FOLD, KEYS, SPLIT_SEED
from nnrun.suggestions import suggestion
from nnrun.sweeps.planning.arguments import Arguments

# Keys of the `dataset` block that networks alone have.
_OF_NETWORKS = ("dataset.features", "dataset.target")

Positions = tuple[int, ...]
"""The index of a value on each axis of a grid."""


@dataclass(frozen=True)
class Axis:
    """One key of a grid.

    Args:
        key: in dotted form.
        values: different ones, as given.
        places: the index of each of them in the list that was given.
        count: how many values were given.
    """

    key: str
    values: Sequence[Any]
    places: Sequence[int]
    count: int

    @classmethod
    def of(cls, key: str, values: Sequence[Any]) -> Axis:
        """The axis of a key with these values."""
        first: dict[str, int] = {}
        for index, value in enumerate(values):
            first.setdefault(repr(value), index)
        places = [*first.values()]
        if key == FOLD:  # null, which stands for all folds, before single ones
            places.sort(key=lambda index: values[index] is not None)
        return cls(key, [values[index] for index in places], places, len(values))

    @property
    def of_runs(self) -> bool:
        """Whether its values are runs of one setting, as several folds are."""
        return self.key in KEYS


@dataclass(frozen=True)
class Grid:
    """A config with the axes of its grid.

    Args:
        content: the config without its `sweep` block.
        arguments: of the sweep.
        base: the config with the first value of each argument, and of its own grid if it needs it.
        axes: one for each key.
        varied: the keys with several values that differ between settings, not between runs of one.
        lengths: those whose values `--iterations` replaces, so that they are no axes.
    """

    content: Content
    arguments: Arguments
    base: Experiment
    axes: Sequence[Axis]
    varied: Sequence[str]
    lengths: Sequence[str]

    @property
    def count(self) -> int:
        """How many settings there are, those that are equal included."""
        return prod(axis.count for axis in self.axes)

    @property
    def count_of_folds(self) -> int:
        """How many settings there are, each as often as it has folds to train."""
        block = self.base.config.dataset
        values = {axis.key: axis.values for axis in self.axes}
        if FOLD in values or block.fold is not None:
            return self.count
        numbers = values.get("dataset.folds", [block.folds])
        known = [number if isinstance(number, int) and number > 0 else 1 for number in numbers]
        return self.count * sum(known) // len(numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values of each axis make settings of their own."""
        return tuple([1 if axis.of_runs else len(axis.values) for axis in self.axes])

    @property
    def split_seeds(self) -> Sequence[int | None] | None:
        """Several seeds of the split that the grid gives each setting; None if it gives none."""
        return self._of_runs(SPLIT_SEED)

    @property
    def folds(self) -> Sequence[int]:
        """Several folds that the grid names; empty if it names none, or all."""
        found = [fold for fold in self._of_runs(FOLD) or () if fold is not None]
        return sorted(found) if len(found) == len(self._of_runs(FOLD) or ()) else ()

    def _of_runs(self, key: str) -> Sequence[int | None] | None:
        values = {axis.key: axis.values for axis in self.axes}.get(key, ())
        return [v if v is None else int(v) for v in values] if len(values) > 1 else None

    def positions(self, number: int) -> Positions:
        """Positions of a setting, by its index in the product of the axes."""
        return tuple(map(int, np.unravel_index(number, self.shape))) if self.axes else ()

    def number(self, positions: Positions) -> int:
        """The index of a setting in the product of the axes."""
        return int(np.ravel_multi_index(positions, self.shape)) if self.axes else 0

    @property
    def size(self) -> int:
        """How many different settings there are at most."""
        return prod(self.shape)

    def values_of_runs(self) -> Iterator[Positions]:
        """Each value that makes no setting of its own, beside the first of the other keys."""
        return self._alone([axis.of_runs for axis in self.axes])

    def settings_to_check(self, most: int) -> Iterator[Positions]:
        """The first values of all keys, and each other value beside the first of the others.

        Of at most so many settings these are all, in the order of the others.
        """
        yield (0,) * len(self.axes)
        yield from self._alone([not axis.of_runs for axis in self.axes])
        if self.size <= most:
            every = product(*map(range, self.shape))
            yield from (positions for positions in every if sum(map(bool, positions)) > 1)

    def _alone(self, wanted: Sequence[bool]) -> Iterator[Positions]:
        for axis in compress(range(len(self.axes)), wanted):
            for at in range(1, len(self.axes[axis].values)):
                yield tuple([at if each == axis else 0 for each in range(len(self.axes))])

    def choice(self, positions: Positions) -> dict[str, Any]:
        """What varies in a setting.

        A model of scikit-learn is named, so that it is not taken for a network.
        """
        config, chosen = self.base.config, self.values(positions)
        model = {BESIDE_KEY: config.beside} if isinstance(config, BesideConfig) else {}
        found = {key: value for key, value in chosen.items() if key in self.varied}
        return found | model | found

    def values(self, positions: Positions) -> dict[str, Any]:
        """The value of each key in a setting."""
        chosen = zip(self.axes, positions, strict=True)
        return {axis.key: axis.values[at] for axis, at in chosen}

    def load(self, positions: Positions) -> Experiment:
        """The config of a setting.

        Raises: ConfigError if it is invalid, with the place where each wrong value was written.
        """
        if not self.axes:
            return self.base
        try:
            return load_with(self.content, self.values(positions), self.arguments)
        except ConfigError as error:
            raise self.relocated(error, positions) from None

    def relocated(self, error: ConfigError, positions: Positions) -> ConfigError:
        """The problems of a setting where its values were written, instead of their overrides."""
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

        def relocated(problem: Problem) -> Problem:
            place = origins.get(problem.argument or "")
            if place is None:
                return problem
            return Problem(problem.message, problem.path, place.place, place.argument)

        return ConfigError(map(relocated, error.problems))


def load_with(content: Content, values: Mapping[str, Any], arguments: Arguments) -> Experiment:
    """A config with these values and those of arguments that are no grid.

    Raises: ConfigError if it is invalid.
    """
    overrides = overrides_of({**values, **arguments.first_seed})
    return load_content(content, overrides, arguments.iterations)


def overrides_of(values: Mapping[str, Any]) -> list[Override]:
    """Overrides of dotted keys, each with a value of its own, which others may change."""
    return outermost_first(
        Override(format_override(key, value), steps_of(key), copied(value))
        for key, value in values.items()
    )


@dataclass(frozen=True)
class BesideGrid(Grid):
    """The grid of a model of scikit-learn on the data of a config."""

    model: str

    def choice(self, positions: Positions) -> dict[str, Any]:
        return {**super().choice(positions), BESIDE_KEY: self.model}

    def load(self, positions: Positions) -> Experiment:
        experiment = super().load(positions)
        config = experiment.config
        inferred = infer_task(config)
        task = config.dataset.task or (inferred.task if inferred else None)
        model = BesideConfig.of(config, self.model, task)
        return replace(experiment, config=model)


def models_of(word: str | Sequence[str]) -> list[str]:
    """The names in `linear,forest` or in a list of them.

    Raises: UsageError if one of them is no model, or given twice.
    """
    names = [name.strip() for name in word.split(",")] if isinstance(word, str) else [*word]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UsageError(f"beside: '{name}' is given twice")
        if name not in BESIDE:
            hint = suggestion(str(name), BESIDE)
            raise UsageError(f"beside: '{name}' is no model of scikit-learn{hint}")
    return names


def grids_beside(grid: Grid, given: Sequence[str] | None) -> list[Grid]:
    """A grid for each model: of the config's own grid what changes the data and their splits.

    `given` are the models that an argument names; by default they are those of the config. The
    models that the config's own grid trains are left out.

    Raises: ConfigError if runs are ordered by the loss, which these models have not.
    """
    sweep = grid.base.config.sweep
    if given is None:
        given = [] if sweep is None else sweep.beside
    own: Iterable[Any] = {axis.key: axis.values for axis in grid.axes}.get(BESIDE_KEY, ())
    if isinstance(grid.base.config, BesideConfig):
        own = [*own, grid.base.config.beside]
    given = [model for model in given if model not in own]
    if given and sweep is not None and sweep.order_by == LOSS:
        raise ConfigError([grid.base.problem(("sweep", "order_by"), NO_LOSS)])
    axes = [axis for axis in grid.axes if _is_of_data(axis.key)]
    varied = [key for key in grid.varied if _is_of_data(key)]
    values = {**vars(grid), "axes": axes, "varied": varied}
    return [BesideGrid(**values, model=model) for model in given]


def _is_of_data(key: str) -> bool:
    return key.startswith("dataset.") and not f"{key}.".startswith(_OF_NETWORKS)
