"""The keys of a grid with their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nnrun.config.overrides import rate_within, steps_of
from nnrun.config.schema.base.block import Block, is_block
from nnrun.config.schema.base.from_signature import NamedBlock
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.schema.training import ScheduleConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.sweeps.planning.grid.groups import Group, groups_of
from nnrun.sweeps.planning.grid.numbers import (
    LENGTHS,
    Numbers,
    free_numbers,
    may_overlap,
    may_vary,
    numbers_in,
)
from nnrun.sweeps.planning.grid.whole import may_join

# Blocks that can be valid alone.
_BLOCKS = ("network", "loss", "training")


@dataclass(frozen=True)
class Axis:
    """One key of a grid.

    Args:
        key: in dotted form.
        values: different ones, as given.
        places: the index of each of them in the list that was given.
        count: how many values were given.
        groups: of the values.
        apart: makes the axis with each value alone that may be refused for itself.
    """

    key: str
    values: Sequence[Any]
    places: Sequence[int]
    count: int
    groups: Sequence[Group]
    apart: Callable[[], Axis]

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
            for rank, at in enumerate(group.members):
                found[at] = number, rank
        return found


def axes_of(
    grid: Mapping[str, Sequence[Any]], config: ExperimentConfig, *, of_one_length: bool
) -> list[Axis]:
    """The axes of a grid, by dotted key; `config` is one of those that the grid makes.

    `of_one_length` is whether an argument replaces the length of all runs.
    """
    steps = {key: steps_of(key) for key in grid}
    found = []
    for key, values in grid.items():
        others = {steps[other] for other in steps if other != key}
        found.append(_axis(key, values, config, others, of_one_length=of_one_length))
    return found


def _axis(
    key: str,
    values: Sequence[Any],
    config: ExperimentConfig,
    others: set[tuple[str, ...]],
    *,
    of_one_length: bool,
    apart: bool = False,
) -> Axis:
    place = place_of(config, steps_of(key), values) if len(values) > 1 else None
    field = None if place is None else _field(config, place, others)
    found: Sequence[Numbers | None] = [None] * len(values)
    if field is not None:
        found = _numbers(values, *field, others, of_one_length=of_one_length, apart=apart)
    known: dict[Numbers, int] = {}  # 1 and 1.0 are the same setting
    places = [
        index
        for index, numbers in enumerate(found)
        if numbers is None or known.setdefault(numbers, index) == index
    ]
    return Axis(
        key,
        [values[index] for index in places],
        places,
        len(values),
        groups_of([found[index] for index in places]),
        partial(_axis, key, values, config, others, of_one_length=of_one_length, apart=True),
    )


def place_of(
    config: ExperimentConfig, steps: tuple[str, ...], values: Sequence[Any]
) -> tuple[str, ...] | None:
    """Where the values of a key stand in the config; None if not all stand at the same place.

    A number for a schedule is that of a key within.
    """
    block = getattr(getattr(config, "training", None), "learning_rate", None)
    if not isinstance(block, ScheduleConfig):
        return steps
    inner = [rate_within(steps, vars(block), value) for value in values]
    if any(inner):
        return (*steps, inner[0]) if inner[0] and all(inner) else None
    return steps


def _numbers(
    values: Sequence[Any],
    path: KeyPath,
    field: TypeAdapter[Any],
    others: set[tuple[str, ...]],
    *,
    of_one_length: bool,
    apart: bool,
) -> list[Numbers | None]:
    """The numbers in which each value may differ from others; None for a value alone.

    With `apart` these are numbers that are valid wherever they stand.
    """
    kind = int if not apart and may_join(path, others) else float
    found: list[Numbers | None] = [None] * len(values)
    for index in free_numbers(values, kind, field):
        found[index] = Numbers("", (path,), (kind(values[index]),))
    if not apart and path[0] in _BLOCKS:
        given = {
            index: _validated(value, field)
            for index, value in enumerate(values)
            if isinstance(value, dict | str)
        }
        blocks = {index: block for index, block in given.items() if is_block(block)}
        if of_one_length and path == ("training",):
            blocks = {
                index: block.model_copy(update=dict.fromkeys(LENGTHS))
                for index, block in blocks.items()
            }
        of_blocks = {
            index: numbers_in(block, path, lambda place: may_join(place, others))
            for index, block in blocks.items()
        }
        # One that is invalid alone may be valid in the config, and the same as another there.
        if len(blocks) == len(given) and not may_overlap(blocks, of_blocks):
            for index, numbers in of_blocks.items():
                found[index] = numbers
    return found


def _validated(value: Any, field: TypeAdapter[Any]) -> Any:
    """The value as a field has it; None if it is invalid."""
    try:
        return field.validate_python(value)
    except ValidationError:
        return None


def _field(
    config: ExperimentConfig, steps: tuple[str, ...], others: set[tuple[str, ...]]
) -> tuple[KeyPath, TypeAdapter[Any]] | None:
    """The path of a key and its field; None if each of its values needs a check of its own.

    `steps` are those of the key, `others` those of the grid's other keys.
    """
    blocks = list(_blocks(config, steps[:-1]))
    path, block = blocks[-1]
    fields = type(block).model_fields
    if len(path) != len(steps) - 1 or steps[-1] not in fields:
        return None
    decisive = {steps[: length + 1] for length in range(len(steps))}
    if isinstance(block, NamedBlock):
        decisive.add((*steps[:-1], block.key))
    within = any(other[: len(steps)] == steps for other in others)
    if within or decisive & others or not all(may_vary(found) for _, found in blocks):
        return None
    if isinstance(block, ScheduleConfig) and (*steps[:-1], "factor") in {*others, steps}:
        return None  # rates may rise with it
    annotation = fields[steps[-1]].rebuild_annotation()
    return (*path, steps[-1]), TypeAdapter(annotation)


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
