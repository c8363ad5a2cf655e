"""Values of a grid's key that need no check of their own.

Most numbers of a config, such as learning rates and decays, are valid for any values of the others:
they change no shape, no engine and no estimate. All that matters is that they are within the bounds
of their key, not 0, and not 0 or infinite in float32. Values that differ only in such numbers, be
they numbers or whole blocks, form a group: the config is checked with the first of them, and the
others only replace it. Values that differ in a whole number may form one, too: there the config is
checked with the largest and the smallest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.yaml.parse import KeyPath
from nnrun.sweeps.planning.grid.numbers import Numbers

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
