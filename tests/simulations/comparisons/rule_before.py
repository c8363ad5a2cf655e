"""The rule that leaderboards had before: of equal rows none may be called worse.

Each row is held against the best one as one of all k·(k - 1)/2 pairs (Bonferroni), by a variance
that is drawn towards those of the other rows (Smyth 2004). Kept to be compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnrun.sweeps.board.means import CONFIDENCE

Array = npt.NDArray[np.float64]

# Two differences to one best row correlate by 1/2, as their best row is half of the noise of each;
# two variances of such differences by the square of it.
_SHARED = 0.25


@dataclass(frozen=True, eq=False)
class Differences:
    """By how much the best row is ahead of each other one; arrays of one number a row.

    Args:
        mean: of the best row less this one; positive where this one is worse.
        low: lower end of the simultaneous 95% interval.
        high: its upper end.
        p: adjusted for the whole table; at most 0.05 where the interval leaves out zero. NaN, like
            the ends of the interval, where nothing varies and there is no noise to compare with.
    """

    mean: Array
    low: Array
    high: Array
    p: Array


def paired_differences(
    values: Array, *, rows: int, overlap: float = 0.0, resolution: float = 0.0
) -> Differences:
    """Rows of the same seeds and splits.

    Args:
        values: (rows, seeds), the best row first and the others in their order, larger is better;
            NaN where a row has no such run. Each row shares two seeds or more with the first.
        rows: of the whole table, those that are compared in some other way included.
        overlap: rows tested per row trained on, where the seed draws the split; else 0.
        resolution: the step between two values that are possible; 1/30 for accuracy on 30 rows.
    """
    scale, values = _scaled(values)
    best, others = values[0], values[1:]
    differences = best - others
    number = np.sum(np.isfinite(differences), axis=1)
    # Values are rounded to the resolution; the difference of two has the error of both.
    own = np.maximum(np.nanvar(differences, axis=1, ddof=1), (resolution / scale) ** 2 / 6)
    own *= _picked_for_calm(others, own)
    variance, degrees = moderated(own, number - 1.0, _SHARED)
    mean = np.nanmean(differences, axis=1)
    return _differences(mean, variance * (1 / number + overlap), degrees, rows, scale)


def _scaled(values: Array) -> tuple[float, Array]:
    """A power of two near the largest size, and values in units of it: no square is infinite."""
    largest = float(np.nanmax(np.abs(values)))
    scale = 2.0 ** (np.frexp(largest)[1] - 1)
    return scale, values / scale


def _picked_for_calm(others: Array, own: Array) -> float:
    """The variance between neighbours in rank, as a multiple of that to the best row: 1 to 2.

    More than that no best row can explain: at 2, it adds no noise of its own at all.
    """
    if len(others) < 3:
        return 1.0
    between = others[:-1] - others[1:]
    known = between[np.sum(np.isfinite(between), axis=1) > 1]
    usual = np.median(own)
    if not len(known) or usual == 0:
        return 1.0
    return float(np.clip(np.median(np.nanvar(known, axis=1, ddof=1)) / usual, 1, 2))


def moderated(variances: Array, degrees: Array, shared: float) -> tuple[Array, Array]:
    """Variances drawn towards their common level, and what degrees of freedom they have then.

    The common level s₀² counts as d₀ further observations: (d₀·s₀² + d·s²)/(d₀ + d). Both come from
    mean and variance of log s², as in Smyth (2004); where these scatter by no more than chance
    has them, all are equal.

    Args:
        variances: of samples.
        degrees: of freedom that each has.
        shared: the correlation between them from a row that they share.
    """
    from scipy.special import polygamma, psi  # slow to import

    positive = variances > 0
    count = len(variances)
    if np.sum(positive) < 2:
        return variances.copy(), degrees
    half = degrees[positive] / 2
    logs = np.log(variances[positive]) - psi(half) + np.log(half)
    beyond_chance = np.var(logs, ddof=1) - (1 - shared) * np.mean(polygamma(1, half))
    most = degrees / (1 / count + (1 - 1 / count) * _SHARED)
    if beyond_chance <= 0:
        return np.full(count, np.average(variances, weights=degrees)), most
    prior = 2 * _trigamma_inverse(float(beyond_chance))
    level = np.exp(np.mean(logs) + psi(prior / 2) - np.log(prior / 2))
    drawn = (prior * level + degrees * variances) / (prior + degrees)
    return drawn, np.minimum(degrees + prior, most)


def _trigamma_inverse(value: float) -> float:
    """x with ψ'(x) = value, by Newton's method on 1/ψ', which is nearly straight."""
    from scipy.special import polygamma  # slow to import

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = polygamma(1, x)
        step = float(trigamma * (1 - trigamma / value) / polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x


def _differences(
    mean: Array, variance: Array, degrees: Array, rows: int, scale: float
) -> Differences:
    """Student's t for each, as one of all pairs of the table."""
    from scipy.special import stdtr, stdtrit  # slow to import

    pairs = rows * (rows - 1) / 2
    error = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.minimum(1.0, 2 * pairs * stdtr(degrees, -mean / error))
    half = -stdtrit(degrees, (1 - CONFIDENCE) / 2 / pairs) * error
    # Equal throughout is a tie; always the same difference says nothing without any noise.
    still = error == 0
    p[still] = np.where(mean[still] == 0, 1.0, np.nan)
    half[still] = np.where(mean[still] == 0, 0.0, np.nan)
    with np.errstate(over="ignore"):  # of numbers near the largest, an end may be infinite
        return Differences(mean * scale, (mean - half) * scale, (mean + half) * scale, p)
