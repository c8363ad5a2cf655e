"""Which values of a grid cause a problem together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from nnrun.sweeps.planning.grid.axes import Axis


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
                axis.key: axis.values[axis.groups[group].members[0]]
                for axis, group, valid, wrong in zip(
                    self._axes, groups, self._valid, self._wrong[problem], strict=True
                )
                if valid - wrong
            }
            if values:
                yield problem, values

    def _none(self) -> list[set[int]]:
        return [set() for _ in self._axes]
