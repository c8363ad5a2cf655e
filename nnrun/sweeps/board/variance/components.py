"""Means with their standard errors, by what varies from run to run: splits, weights, or both.

Of two runs of a row, half the squared difference estimates what they do not share. Averaged over
the pairs with one split, that is the variance from the weights (initial weights, order, dropout)
and what remains; over pairs with the same weights, that from the splits and what remains; over all
other pairs, all three. The differences of these averages are the components, at least 0; in a
crossed design they are those of the two-way analysis of variance.

- The variance of the mean is split·(1/J + n_test/n_train) + weights/K + rest/n, for J splits and K
  seeds of weights. Training sets overlap between splits, so the correction belongs to their share
  alone.
- Where every run has a split and weights of its own, the components cannot be told apart: all of
  the variance counts as that of splits, which gives s²·(1/n + n_test/n_train).
- Folds are splits with weights of their own. Of k folds n_test/n_train is 1/(k - 1), and k folds
  of each of r seeds are a plain design of k·r runs: the corrected repeated cross-validation.

Sources: Koch, Technometrics 9 (1967); Nadeau and Bengio, Machine Learning 52 (2003); Bouckaert and
Frank, PAKDD (2004); Bouthillier et al., MLSys (2021).
"""

from __future__ import annotations

from functools import partial, reduce
from typing import NamedTuple

import numpy as np

from nnrun.sweeps.board.variance.degrees import Degrees
from nnrun.sweeps.board.variance.sharing import Array, Bools, Design, Factor, Layout

# NumPy adds up fewer numbers than this one after the other.
_FEW = 8


class Components(NamedTuple):
    """Variances of one run's result by their source; arrays of one shape."""

    split: Array
    weights: Array
    rest: Array

    @property
    def total(self) -> Array:
        """Of one run."""
        total: Array = self.split + self.weights + self.rest
        return total


class Estimate(NamedTuple):
    """Of the mean of each line of values; all arrays have the shape of the mean."""

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
    """From the pairs with one split, those with the same weights, and the others."""
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
