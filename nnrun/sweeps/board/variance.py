"""Which replicates of a row share their split, and which their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
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
        """Factor from the level of each replicate."""
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
        """Design from the split and the weights of each replicate."""
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
        """Degrees of freedom of the variance from the splits, and of the rest."""
        alone = np.where(self.same_weights, self.number - self.weights, self.number - 1)
        split = np.where(self.same_split, self.splits - 1, alone)
        nested = self.same_split & ~self.same_weights
        others = np.where(nested, self.number - self.splits, self.weights - 1)
        return np.maximum(split, 1), np.maximum(others, 1)


# Quantiles of a variance whose two parts have their own degrees of freedom.
#
# Banerjee's quantile, √(Σ share · t²), is never too small for parts that are known independently.
# Satterthwaite's degrees of freedom are too many where a part is known from two or three splits or
# seeds, the more so in the tails that many comparisons need. Banerjee, Sankhyā 22 (1960).

_HALVINGS = 60


class Degrees(NamedTuple):
    """The degrees of freedom of a variance with two parts; arrays of one shape.

    Args:
        split: of the part of the splits.
        others: of the other part.
        share: of the first part, at least.
    """

    split: Array
    others: Array
    share: Array

    @property
    def least(self) -> Array:
        """Degrees as one number that is not too large: the harmonic mean."""
        least: Array = 1 / (self.share / self.split + (1 - self.share) / self.others)
        return least

    def quantile(self, p: Array | float) -> Array:
        """Bound of the mean in units of its standard error, with p in the tail beyond it."""
        found: Array = np.sqrt(
            self.share * _quantile(self.split, p) ** 2
            + (1 - self.share) * _quantile(self.others, p) ** 2
        )
        return found

    def tail(self, t: Array) -> Array:
        """The p whose quantile is t, which is at least 0; at most 1/2."""
        from scipy.special import stdtr  # noqa: PLC0415  # slow to import

        both = (self.share > 0) & (self.share < 1)
        single: Array = stdtr(np.where(self.share > 0, self.split, self.others), -t)
        if not both.any():
            return single
        low, high = np.full(t.shape, -700.0), np.full(t.shape, np.log(0.5))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            beyond = self.quantile(np.exp(middle)) > t
            low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
        return np.where(both, np.exp(high), single)


def _quantile(degrees: Array, p: Array | float) -> Array:
    """Quantile of Student's t, computed once for each of the few different degrees of freedom."""
    from scipy.special import stdtrit  # noqa: PLC0415  # slow to import

    if np.ndim(p):
        found: Array = -stdtrit(degrees, p)
        return found
    first = np.ravel(degrees)[:1]
    if np.all(degrees == first):  # as of rows that all have the same runs
        return np.full(np.shape(degrees), -stdtrit(first, p))
    different, places = np.unique(degrees, return_inverse=True)
    each: Array = -stdtrit(different, p)
    return each[places].reshape(np.shape(degrees))


# Means with their standard errors, by what varies from run to run: splits, weights, or both.
#
# Of two runs of a row, half the squared difference estimates what they do not share. Averaged over
# the pairs with one split, that is the variance from the weights (initial weights, order, dropout)
# and what remains; over pairs with the same weights, that from the splits and what remains; over
# all other pairs, all three. The differences of these averages are the components, at least 0; in a
# crossed design they are those of the two-way analysis of variance.
#
# - The variance of the mean is split·(1/J + n_test/n_train) + weights/K + rest/n, for J splits and
#   K seeds of weights. Training sets overlap between splits, so the correction belongs to their
#   share alone.
# - Where every run has a split and weights of its own, the components cannot be told apart: all of
#   the variance counts as that of splits, which gives s²·(1/n + n_test/n_train).
# - Folds are splits with weights of their own. Of k folds n_test/n_train is 1/(k - 1), and k folds
#   of each of r seeds are a plain design of k·r runs: the corrected repeated cross-validation.
#
# Sources: Koch, Technometrics 9 (1967); Nadeau and Bengio, Machine Learning 52 (2003); Bouckaert
# and Frank, PAKDD (2004); Bouthillier et al., MLSys (2021).

# NumPy adds up fewer numbers than this one after the other.
_FEW = 8


class Components(NamedTuple):
    """Variances of one run's result by their source; arrays of one shape."""

    split: Array
    weights: Array
    rest: Array

    @property
    def total(self) -> Array:
        """Variance of one run."""
        total: Array = self.split + self.weights + self.rest
        return total


class Estimate(NamedTuple):
    """An estimate of the mean of each line of values; all arrays have the shape of the mean."""

    mean: Array
    error: Array
    degrees: Degrees
    components: Components
    layout: Layout


def estimate(
    values: Array, design: Design, overlap: Array | float = 0.0, floor: Array | float = 0.0
) -> Estimate:
    """The mean over replicates with its standard error.

    Args:
        values: (..., replicates), NaN where there is none.
        design: of the replicates.
        overlap: (...), rows tested per row trained on, where splits are drawn; else 0.
        floor: (...), the least variance of one value, as of numbers that were rounded.
    """
    if design.shares or values.shape[-1] >= _FEW:
        values = np.ascontiguousarray(values)  # the order of their sums is that in memory
    known = np.isfinite(values)
    if known.all():
        number = np.asarray(values.shape[-1])  # of all lines, as is what follows from it
        mean = _sum(values) / np.maximum(number, 1)
        rest = values - mean[..., None]
    else:
        number = known.sum(axis=-1)
        values = np.where(known, values, 0.0)
        mean = values.sum(axis=-1) / np.maximum(number, 1)
        rest = (values - mean[..., None]) * known
    layout, components = _components(rest, known, number, design)
    short = np.maximum(floor - components.total, 0.0)
    components = Components(
        components.split + np.where(layout.same_split, 0.0, short),
        components.weights,
        components.rest + np.where(layout.same_split, short, 0.0),
    )
    error, degrees = error_of(components, layout, overlap)
    every = partial(np.broadcast_to, shape=mean.shape)
    return Estimate(
        mean,
        error,
        Degrees(*map(every, degrees)),
        Components(*map(every, components)),
        Layout(*map(every, layout)),
    )


def error_of(
    components: Components, layout: Layout, overlap: Array | float
) -> tuple[Array, Degrees]:
    """The standard error of the mean of such a design, and its degrees of freedom."""
    number = np.maximum(layout.number, 1)
    split = components.split * (layout.share_of_split + overlap)
    others = components.weights * layout.share_of_weights + components.rest / number
    # What is subtracted to know the split's part alone is as uncertain as that part.
    known = components.split + components.rest * layout.splits / number
    known = known * (layout.share_of_split + overlap)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(known + others > 0, known / (known + others), 1.0)
    of_split, of_others = layout.degrees
    share = np.where(layout.splits > 1, share, 0.0)
    return np.sqrt(split + others), Degrees(of_split, of_others, share)


def _sum(values: Array) -> Array:
    """Over replicates; of few, NumPy adds one to the next as well, but takes five times as long."""
    if not 0 < values.shape[-1] < _FEW:
        found: Array = values.sum(axis=-1)
        return found
    return reduce(np.add, (values[..., place] for place in range(values.shape[-1])))


class _Pairs(NamedTuple):
    """Pairs of replicates: the sum of half their squared differences, twice, and their number."""

    squares: Array
    number: Array

    @property
    def mean(self) -> Array:
        """Half the squared difference; 0 without any."""
        mean: Array = np.maximum(self.squares, 0.0) / np.maximum(self.number, 1)
        return mean


def _components(
    rest: Array, known: Bools, number: Array, design: Design
) -> tuple[Layout, Components]:
    """Components from the pairs with one split, those with the same weights, and the others."""
    squared = rest**2
    if design.splits.alone.all() and design.weights.alone.all():
        none, no = np.zeros(number.shape), np.zeros(number.shape, dtype=bool)
        every = _Pairs(number * _sum(squared), number * (number - 1)).mean
        share = number / np.maximum(number, 1) ** 2
        return Layout(number, number, number, no, no, share, share), Components(every, none, none)
    of_splits, splits, share_of_split = _sharing(rest, squared, known, number, design.splits)
    of_weights, weights, share_of_weights = _sharing(rest, squared, known, number, design.weights)
    others = _Pairs(
        number * squared.sum(axis=-1) - of_splits.squares - of_weights.squares,
        number * (number - 1) - of_splits.number - of_weights.number,
    )
    a, b = of_splits.mean, of_weights.mean
    every = np.where(others.number > 0, others.mean, a + b)
    same_split, same_weights = of_splits.number > 0, of_weights.number > 0
    alone = np.where(same_weights, b, every)
    components = Components(
        np.where(same_split, np.maximum(every - a, 0.0), alone),
        np.where(same_weights, np.maximum(every - b, 0.0), 0.0),
        np.where(same_split, np.where(same_weights, np.maximum(a + b - every, 0.0), a), 0.0),
    )
    shares = (share / np.maximum(number, 1) ** 2 for share in (share_of_split, share_of_weights))
    return Layout(number, splits, weights, same_split, same_weights, *shares), components


def _sharing(
    rest: Array, squared: Array, known: Bools, number: Array, factor: Factor
) -> tuple[_Pairs, Array, Array]:
    """The pairs with the same level, the number of levels, and the sum of their squared sizes."""
    if factor.alone.all():
        none = np.zeros_like(number)
        return _Pairs(none, none), number, number
    size, total = known @ factor.shared, rest @ factor.shared
    squares = (size * (squared @ factor.shared) - total**2).sum(axis=-1)
    alone = (known & factor.alone).sum(axis=-1)
    pairs = _Pairs(squares, (size * (size - 1)).sum(axis=-1))
    return pairs, (size > 0).sum(axis=-1) + alone, (size**2).sum(axis=-1) + alone
