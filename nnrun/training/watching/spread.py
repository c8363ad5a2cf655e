"""Keeping evenly spread evaluations of a run whose length is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")

# Of so few none has been left out.
_FEWEST = 4


@dataclass
class Spread(Generic[V]):
    """What was found at some evaluations, by iteration.

    Once there are more than `most`, every second one is left out, and none like these is kept from
    then on. The first one stays, and those that are added as `last`.

    Args:
        every: the updates between evaluations.
        most: how many are kept.
        step: one of so many evaluations is kept.
    """

    every: int
    most: int
    step: int = 1
    found: dict[int, V] = field(default_factory=dict)

    def wants(self, iteration: int, *, last: bool = False) -> bool:
        """Whether what is found at this iteration would be kept."""
        wanted = last or not self.found or self._is_regular(iteration)
        return wanted and iteration not in self.found

    def add(self, iteration: int, value: V, *, last: bool = False) -> None:
        """Keep a value that is wanted."""
        self.found[iteration] = value
        if not last and len(self.found) > self.most:
            self.step *= 2
            first = min(self.found)
            self.found = {
                each: kept
                for each, kept in self.found.items()
                if each == first or self._is_regular(each)
            }

    def restore(self, found: Mapping[int, V]) -> None:
        """Continue with what was kept before, but for a last one that a longer run has not."""
        places = sorted(found)
        if len(places) > _FEWEST:
            self.step = (places[2] - places[1]) // self.every
        self.found = {
            each: value
            for each, value in found.items()
            if each == places[0] or self._is_regular(each)
        }

    def _is_regular(self, iteration: int) -> bool:
        return iteration % (self.every * self.step) == 0
