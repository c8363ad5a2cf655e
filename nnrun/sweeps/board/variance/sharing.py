"""Which replicates of a row share their split, and which their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def numbers(*values: float) -> list[Array]:
    """Single numbers as arrays."""
    return [np.asarray(value, dtype=np.float64) for value in values]


@dataclass(frozen=True, eq=False)
class Factor:
    """The replicates by one of the things that vary.

    Args:
        shared: (replicates, levels), 1 where a replicate has this level; without levels that only
            one replicate has.
        alone: (replicates,), whether no other replicate has the same level.
    """

    shared: Array
    alone: Bools

    @classmethod
    def of(cls, levels: Sequence[Hashable]) -> Factor:
        """From the level of each replicate."""
        counts = Counter(levels)
        several = [level for level, count in counts.items() if count > 1]
        shared = np.zeros((len(levels), len(several)))
        for place, level in enumerate(several):
            shared[[known == level for known in levels], place] = 1.0
        return cls(shared, np.array([counts[level] == 1 for level in levels], dtype=bool))


@dataclass(frozen=True, eq=False)
class Design:
    """Which replicates share their split, and which their weights."""

    splits: Factor
    weights: Factor

    @cached_property
    def shares(self) -> bool:
        """Whether any replicates share anything."""
        return not (self.splits.alone.all() and self.weights.alone.all())

    @classmethod
    def of(cls, replicates: Sequence[tuple[Hashable, Hashable]]) -> Design:
        """From the split and the weights of each replicate."""
        return cls(
            Factor.of([split for split, _ in replicates]),
            Factor.of([weights for _, weights in replicates]),
        )


class Layout(NamedTuple):
    """How many replicates there are, and what they share; arrays of one shape, or numbers.

    Args:
        number: of replicates.
        splits: the number of different ones.
        weights: likewise.
        same_split: whether some replicates share a split.
        same_weights: whether some share their weights.
        share_of_split: the sum over splits of the square of their share of replicates; 1 / splits
            where they have equally many.
        share_of_weights: likewise.
    """

    number: Array
    splits: Array
    weights: Array
    same_split: Bools
    same_weights: Bools
    share_of_split: Array
    share_of_weights: Array

    @property
    def degrees(self) -> tuple[Array, Array]:
        """Of the variance from the splits, and of the rest."""
        alone = np.where(self.same_weights, self.number - self.weights, self.number - 1)
        split = np.where(self.same_split, self.splits - 1, alone)
        nested = self.same_split & ~self.same_weights
        others = np.where(nested, self.number - self.splits, self.weights - 1)
        return np.maximum(split, 1), np.maximum(others, 1)
