"""The combinations of a grid's values, each a config, valid or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import prod
from typing import Any, Self

from nnrun.config.content import Content
from nnrun.config.load import Experiment, load_block, load_content
from nnrun.config.overrides import Override, format_override, outermost_first, steps_of
from nnrun.config.schema.experiment import BesideConfig
from nnrun.config.settings import BESIDE
from nnrun.config.yaml.source_map import copied
from nnrun.errors import ConfigError, Problem
from nnrun.sweeps.planning.grid.arguments import Arguments
from nnrun.sweeps.planning.grid.axes import Axis
from nnrun.sweeps.planning.grid.blocks import KnownBlocks


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
    def checks(self) -> int:
        """How many settings are checked, for all."""
        return prod(sum(len(group.checked) for group in axis.groups) for axis in self.axes)

    @property
    def is_sure(self) -> bool:
        """Whether all settings are valid or not as those are that are checked."""
        return all(group.is_sure for axis in self.axes for group in axis.groups)

    def apart(self) -> Self:
        """The same grid, where this is so."""
        return replace(self, axes=[axis.apart() for axis in self.axes])

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

    def combinations(
        self,
    ) -> Iterator[tuple[tuple[int, ...], Iterator[GridPoint | ConfigError]]]:
        """Each combination of the groups of all axes, with the settings to check, valid or not.

        They are one, and where the groups have whole numbers, all at their ends.
        """
        known = KnownBlocks(self.axes, self._load_block)
        for groups in product(*(range(len(axis.groups)) for axis in self.axes)):
            chosen = zip(self.axes, groups, strict=True)
            checked = product(*(axis.groups[group].checked for axis, group in chosen))
            yield groups, (self._load(positions, known) for positions in checked)

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
        return load_with(self.content, values, self.arguments)

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


def load_with(content: Content, values: dict[str, Any], arguments: Arguments) -> Experiment:
    """A config with these values and those of arguments that are no grid.

    Raises: ConfigError if it is invalid.
    """
    overrides = overrides_of({**values, **arguments.first_seed})
    return load_content(content, overrides, arguments.iterations)


def overrides_of(values: Mapping[str, Any]) -> list[Override]:
    """Those of dotted keys, each with a value of its own, which others may change."""
    return outermost_first(
        Override(format_override(key, value), steps_of(key), copied(value))
        for key, value in values.items()
    )
