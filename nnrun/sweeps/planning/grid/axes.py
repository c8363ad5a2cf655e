"""The keys of a grid, and which of their values need no check of their own.

Most numbers of a config, such as learning rates and decays, are valid for any values of the others:
they change no shape, no engine and no estimate. All that matters is that they are within the bounds
of their key, not 0, and not 0 or infinite in float32. Such values of a key form one group: the
config is checked with the first of them, and the others only replace it. Some whole numbers form
one, too: there it is checked with the largest and the smallest of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nnrun.config.overrides import steps_of
from nnrun.config.schema.base.block import Block
from nnrun.config.schema.base.from_signature import NamedBlock
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.config.schema.experiment import ExperimentConfig, lost_in_float32
from nnrun.config.schema.network import InitializerConfig
from nnrun.config.schema.training import ScheduleConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.sweeps.planning.grid.whole import may_join

# Numbers of these blocks are checked together with others, or go into other blocks.
_CHECKED = (DatasetConfig, ScheduleConfig, InitializerConfig)
# Of two whole numbers, each is an end.
_FEWEST = 3


@dataclass(frozen=True)
class Axis:
    """One key of a grid.

    Args:
        key: in dotted form.
        values: different ones, as given.
        places: the index of each of them in the list that was given.
        count: how many values were given.
        groups: the positions of values that need no check of their own together; and of each other
            value alone. Whole numbers of a group stand in falling order.
        path: of the numbers in the config, if a group has several.
        kind: of these numbers.
    """

    key: str
    values: Sequence[Any]
    places: Sequence[int]
    count: int
    groups: Sequence[Sequence[int]]
    path: KeyPath = ()
    kind: type[int] | type[float] = float

    @cached_property
    def group_of(self) -> list[int]:
        """For each value, the index of its group."""
        return [group for group, _ in self._places]

    @cached_property
    def rank_of(self) -> list[int]:
        """For each value, its index in its group."""
        return [rank for _, rank in self._places]

    @property
    def _places(self) -> list[tuple[int, int]]:
        found = [(0, 0)] * len(self.values)
        for number, group in enumerate(self.groups):
            for rank, at in enumerate(group):
                found[at] = number, rank
        return found

    def number(self, at: int) -> int | float:
        """The value at a position of a group of several."""
        return self.kind(self.values[at])

    def is_whole(self, group: Sequence[int]) -> bool:
        """Whether a group has whole numbers between its ends."""
        return self.kind is int and len(group) > 1

    def checked(self, group: Sequence[int]) -> Sequence[int]:
        """The positions that stand for a group when it is checked."""
        return [group[0], group[-1]] if self.is_whole(group) else group[:1]

    def apart(self) -> Axis:
        """The same axis with each whole number in a group of its own."""
        return replace(self, groups=_alone(self.values)) if self.kind is int else self


def axes_of(grid: Mapping[str, Sequence[Any]], config: ExperimentConfig) -> list[Axis]:
    """The axes of a grid, by dotted key; `config` is one of those that the grid makes."""
    steps = {key: steps_of(key) for key in grid}

    def axis(key: str, values: Sequence[Any]) -> Axis:
        others = {steps[other] for other in steps if other != key}
        number = _number(config, steps[key], others)
        if number is None or len(values) == 1:
            return Axis(key, values, range(len(values)), len(values), _alone(values))
        path, annotation = number
        kind = int if may_join(path, others) else float
        return _axis(key, values, path, kind, TypeAdapter(annotation))

    return [axis(key, values) for key, values in grid.items()]


def _alone(values: Sequence[Any]) -> list[tuple[int]]:
    return [(at,) for at in range(len(values))]


def _axis(
    key: str,
    values: Sequence[Any],
    path: KeyPath,
    kind: type[int] | type[float],
    field: TypeAdapter[Any],
) -> Axis:
    together = set(_free(values, kind, field))
    known: dict[float, int] = {}  # 1 and 1.0 are the same setting
    places = [
        index
        for index, value in enumerate(values)
        if index not in together or known.setdefault(kind(value), index) == index
    ]
    shared = tuple(at for at, index in enumerate(places) if index in together)
    own = [(at,) for at, index in enumerate(places) if index not in together]
    if kind is int:
        shared = tuple(sorted(shared, key=lambda at: -values[places[at]]))
        if len(shared) < _FEWEST:
            own, shared = _alone(places), ()
    groups: list[tuple[int, ...]] = sorted([*own, shared] if shared else own, key=min)
    return Axis(key, [values[index] for index in places], places, len(values), groups, path, kind)


def _free(
    values: Sequence[Any], kind: type[int] | type[float], field: TypeAdapter[Any]
) -> Iterable[int]:
    """The indices of the numbers that need no check of their own."""
    numbers = [index for index, value in enumerate(values) if _is_usual(value)]
    if not numbers:
        return []
    # Bounds are those of an interval.
    ends = [least(numbers, key=values.__getitem__) for least in (min, max)]
    if kind is float and all(_is_number(values[index], kind, field) for index in ends):
        return numbers
    return [index for index in numbers if _is_number(values[index], kind, field)]


def _is_usual(value: Any) -> bool:
    """Whether it is a number that is neither 0 nor lost in float32."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        number = float(value)
    except OverflowError:
        return False
    return number != 0 and isfinite(number) and not any(lost_in_float32(number, ()))


def _is_number(value: Any, kind: type[int] | type[float], field: TypeAdapter[Any]) -> bool:
    """Whether a value is valid for a field, and is a number of a kind there."""
    try:
        return isinstance(field.validate_python(value), kind)
    except ValidationError:
        return False


def _number(
    config: ExperimentConfig, steps: tuple[str, ...], others: set[tuple[str, ...]]
) -> tuple[KeyPath, Any] | None:
    """The path of a key and the type of its values; None if these need checks of their own.

    `steps` are those of the key, `others` those of the grid's other keys.
    """
    blocks = list(_blocks(config, steps[:-1]))
    path, block = blocks[-1]
    fields = type(block).model_fields
    if len(path) != len(steps) - 1 or steps[-1] not in fields:
        return None
    replaced = {steps[: length + 1] for length in range(len(steps))}
    if isinstance(block, NamedBlock):
        replaced.add((*steps[:-1], block.key))
    if replaced & others or any(isinstance(found, _CHECKED) for _, found in blocks):
        return None
    return (*path, steps[-1]), fields[steps[-1]].rebuild_annotation()


def _blocks(config: ExperimentConfig, steps: Sequence[str]) -> Iterator[tuple[KeyPath, Block]]:
    """The blocks from the outermost to that at the end of these steps, as far as there are any."""
    found: Any = config
    path: KeyPath = ()
    yield path, found
    for step in steps:
        if isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            path, found = (*path, int(step)), found[int(step)]
        else:
            path, found = (*path, step), getattr(found, step, None)
        if isinstance(found, Block):
            yield path, found
        elif not isinstance(found, list):
            return


class Together:
    """The groups of values that valid settings have on each axis, and those of each problem."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._axes = axes
        self._valid = self._none()
        self._first: dict[str, Sequence[int]] = {}
        self._wrong: dict[str, list[set[int]]] = {}

    def add(self, groups: Sequence[int], problems: Collection[str]) -> None:
        """Note the problems of the setting with these groups."""
        for problem in problems:
            self._first.setdefault(problem, groups)
        for seen in [self._wrong.setdefault(p, self._none()) for p in problems] or [self._valid]:
            for positions, group in zip(seen, groups, strict=True):
                positions.add(group)

    def causes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each problem that not all values have, and the first values that have it, by key."""
        for problem, groups in self._first.items():
            values = {
                axis.key: axis.values[axis.groups[group][0]]
                for axis, group, valid, wrong in zip(
                    self._axes, groups, self._valid, self._wrong[problem], strict=True
                )
                if valid - wrong
            }
            if values:
                yield problem, values

    def _none(self) -> list[set[int]]:
        return [set() for _ in self._axes]
