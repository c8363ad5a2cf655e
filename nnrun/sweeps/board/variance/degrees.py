"""Quantiles of a variance whose two parts have their own degrees of freedom.

Banerjee's quantile, √(Σ share · t²), is never too small for parts that are known independently.
Satterthwaite's degrees of freedom are too many where a part is known from two or three splits or
seeds, the more so in the tails that many comparisons need. Banerjee, Sankhyā 22 (1960).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nnrun.sweeps.board.variance.sharing import Array

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
        """As one number that is not too large: the harmonic mean."""
        least: Array = 1 / (self.share / self.split + (1 - self.share) / self.others)
        return least

    def quantile(self, p: Array | float) -> Array:
        """Where the mean in units of its standard error stays below, but for p in the tail."""
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
    """Of Student's t, computed once for each of the few different degrees of freedom."""
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
