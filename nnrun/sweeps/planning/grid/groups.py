"""Values of a grid's key that need no check of their own.

Most numbers of a config, such as learning rates and decays, are valid for any values of the others:
they change no shape, no engine and no estimate. All that matters is that they are within the bounds
of their key, not 0, and not 0 or infinite in float32. Values that differ only in such numbers, be
they numbers or whole blocks, form a group: the config is checked with the first of them, and the
others only replace it. Values that differ in a whole number may form one, too: there the config is
checked with the largest and the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from nnrun.config.schema.base.block import Block, is_block
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.config.schema.experiment import lost_in_float32
from nnrun.config.schema.network import InitializerConfig
from nnrun.config.schema.training import ScheduleConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.plugins.loading import find

# Of two whole numbers, each is an end.
_FEWEST = 3


@dataclass(frozen=True)
class Group:
    """Values that differ in numbers alone; or a single value.

    Args:
        members: the positions of the values. Whole numbers stand in falling order.
        numbers: in which they differ: by the path in the config, those of each member.
        whole: the path of the whole numbers among them, if there are any.
        blocks: whether the values are blocks.
    """

    members: Sequence[int]
    numbers: Mapping[KeyPath, Sequence[float]]
    whole: KeyPath | None = None
    blocks: bool = False

    def __len__(self) -> int:
        return len(self.members)

    @property
    def checked(self) -> Sequence[int]:
        """The positions that stand for the group when it is checked."""
        return self.members[:1] if self.whole is None else [self.members[0], self.members[-1]]

    @property
    def is_sure(self) -> bool:
        """Whether what holds for the first holds for all: valid, or a problem at the same place."""
        return self.whole is None and not self.blocks


def alone(positions: Iterable[int]) -> list[Group]:
    """A group for each of these values."""
    return [Group((at,), {}) for at in positions]


class Numbers(NamedTuple):
    """The numbers of a value that may differ within a group.

    Args:
        shape: the same for values that differ in these numbers alone; empty if it is a number.
        paths: of the numbers, in the config.
        values: the numbers.
    """

    shape: str
    paths: tuple[KeyPath, ...]
    values: tuple[float, ...]


def groups_of(found: Sequence[Numbers | None]) -> list[Group]:
    """The groups of values with these numbers, None for one alone, in the order of their first."""
    groups = alone(at for at, numbers in enumerate(found) if numbers is None)
    shapes: dict[tuple[Any, ...], list[tuple[int, Numbers]]] = {}
    for at, numbers in enumerate(found):
        if numbers is not None:
            shapes.setdefault((numbers.shape, numbers.paths), []).append((at, numbers))
    for members in shapes.values():
        groups += _split(members)
    return sorted(groups, key=lambda group: min(group.members))


def _split(members: Sequence[tuple[int, Numbers]]) -> list[Group]:
    """The groups of values of one shape: one, unless whole numbers keep them apart."""
    if len(members) == 1:
        return alone(at for at, _ in members)
    (_, first), *_ = members
    columns = zip(*(numbers.values for _, numbers in members), strict=True)
    differ = {
        p: column for p, column in zip(first.paths, columns, strict=True) if len({*column}) > 1
    }
    whole = [path for path, column in differ.items() if isinstance(column[0], int)]
    if len(whole) > 1 or any(len({*differ[path]}) < _FEWEST for path in whole):
        apart: dict[tuple[float, ...], list[tuple[int, Numbers]]] = {}
        for index, member in enumerate(members):
            apart.setdefault(tuple([differ[path][index] for path in whole]), []).append(member)
        return [group for each in apart.values() for group in _split(each)]
    order = [*range(len(members))]
    for path in whole:
        order.sort(key=lambda index: -differ[path][index])
    return [
        Group(
            [members[index][0] for index in order],
            {path: [column[index] for index in order] for path, column in differ.items()},
            whole[0] if whole else None,
            bool(first.shape),
        )
    ]


def numbers_in(block: Block, path: KeyPath, may_join: Callable[[KeyPath], bool]) -> Numbers:
    """Those of a block at a path; `may_join` says where a whole number may be one of them."""
    shape, paths, values = [], [], []
    for place, value, varies in _leaves(block, path, varies=True):
        whole = type(value) is int and may_join(place)
        if varies and (whole or isinstance(value, float)) and is_usual(value):
            paths.append(place)
            values.append(value)
        else:
            shape.append((place, value))
    return Numbers(repr(shape), tuple(paths), tuple(values))


def _leaves(value: Any, path: KeyPath, *, varies: bool) -> Iterator[tuple[KeyPath, Any, bool]]:
    """The values in blocks and lists, with their paths, and whether numbers may vary there."""
    if is_block(value):
        varies = varies and may_vary(value)
        for key, inner in vars(value).items():
            yield from _leaves(inner, (*path, key), varies=varies)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index), varies=varies)
    else:
        yield path, value, varies


def may_vary(block: Block) -> bool:
    """Whether a block is valid for any numbers of its own.

    Numbers of data are checked together, and those of initializers go into other blocks. The rates
    of a schedule are at most its largest number, unless a factor above 1 makes them rise.
    """
    if isinstance(block, ScheduleConfig):
        return find("schedule", block.schedule) is None and getattr(block, "factor", 0) <= 1
    return not isinstance(block, DatasetConfig | InitializerConfig)


def free_numbers(
    values: Sequence[Any], kind: type[int] | type[float], field: TypeAdapter[Any]
) -> Sequence[int]:
    """The indices of the numbers that a field takes as ones of this kind."""
    numbers = [index for index, value in enumerate(values) if is_usual(value)]
    if not numbers:
        return []
    # Bounds are those of an interval.
    ends = [least(numbers, key=values.__getitem__) for least in (min, max)]
    if kind is float and all(_is_number(values[index], kind, field) for index in ends):
        return numbers
    return [index for index in numbers if _is_number(values[index], kind, field)]


def is_usual(value: Any) -> bool:
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
