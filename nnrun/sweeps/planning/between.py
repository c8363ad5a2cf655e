"""Estimates of settings that differ in whole numbers, from those at the ends of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnrun.nn.signature import Array
from nnrun.sweeps.planning.estimate import Estimate


@dataclass(frozen=True, eq=False)
class Between:
    """What runs take between the ends of their whole numbers.

    Parameters and seconds are linear in each number while the others stay, the seconds nearly so.

    Args:
        ends: the estimates of the settings with the first or the last of each number, in the order
            of the product.
        numbers: the values of each, from one end to the other; a number of which a run takes less
            time by its reciprocal.
    """

    ends: Sequence[Estimate]
    numbers: Sequence[Sequence[float]]

    @cached_property
    def seconds(self) -> Array:
        """Of a run with each combination of the numbers."""
        return self._of(lambda end: end.seconds)

    @cached_property
    def parameters(self) -> Array:
        """Of its network."""
        return np.rint(self._of(lambda end: end.parameters)).astype(np.int64)

    @cached_property
    def order(self) -> Array:
        """The combinations by number, those that take longest first."""
        return np.argsort(-self.seconds, axis=None, kind="stable")

    def _of(self, value: Callable[[Estimate], float]) -> Array:
        found = np.array([value(end) for end in self.ends], np.float64)
        found = found.reshape((2,) * len(self.numbers))
        for numbers in self.numbers:
            share = np.array(numbers, np.float64) - numbers[0]
            share /= share[-1]
            found = np.tensordot(
                found, [1 - share, share], axes=(0, 0)
            )  # the first becomes the last
        return found
