"""Rules of verdicts, and the one before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import gammaincinv, log_ndtr, stdtrit
from scipy.stats import studentized_range

from nnrun.sweeps.board.means import CONFIDENCE

# The rule that leaderboards had before: of equal rows none may be called worse.
#
# Each row is held against the best one as one of all k·(k - 1)/2 pairs (Bonferroni), by a variance
# that is drawn towards those of the other rows (Smyth 2004). Kept to be compared with.

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


# Rules for what can be dropped: the leaderboard's, the one before it, and what else there is.
#
# Each takes values (tables, rows, seeds) on common splits, larger is better, and says of each row
# whether it is dropped. Whole tables at a time: this is the leaderboard's rule written again, and
# `tests/sweeps/board/test_comparisons.py` holds the two against each other.

LEVEL = 0.05


@dataclass(frozen=True)
class Ours:
    """Of each row: whether it is dropped, and the interval of its difference to the best other."""

    dropped: np.ndarray
    low: np.ndarray
    high: np.ndarray


def intervals(x: np.ndarray, overlap: float = 0.0, resolution: float = 0.0) -> Ours:
    """The leaderboard's rule with its intervals."""
    rows, seeds = x.shape[1:]
    mean, error = _pairs(x, overlap, resolution)
    reach = -stdtrit(seeds - 1, LEVEL / (rows - 1)) * error
    upper = _without_self(mean + reach, np.inf).min(axis=2)
    dropped = upper < 0
    among = np.where(dropped[:, None, :], np.inf, _without_self(mean - reach, np.inf))
    low = among.min(axis=2)
    low = np.where(np.isfinite(low), np.minimum(low, 0), 0.0)
    return Ours(dropped, low, np.maximum(upper, 0))


def ours(x: np.ndarray, overlap: float = 0.0, resolution: float = 0.0) -> np.ndarray:
    """The leaderboard's."""
    return intervals(x, overlap, resolution).dropped


def before(x: np.ndarray, overlap: float = 0.0, resolution: float = 0.0) -> np.ndarray:
    """The leaderboard's of before, a table at a time."""
    dropped = np.zeros(x.shape[:2], dtype=bool)
    for values, line in zip(x, dropped, strict=True):
        order = np.argsort(-values.mean(axis=1), kind="stable")
        settings = {"rows": len(values), "overlap": overlap, "resolution": resolution}
        line[order[1:]] = paired_differences(values[order], **settings).p <= LEVEL
    return dropped


def separate(x: np.ndarray, overlap: float = 0.0, resolution: float = 0.0) -> np.ndarray:
    """Student's paired t-test of each row with the best one, two-sided, and nothing adjusted."""
    return _to_the_best(x, overlap, resolution) < stdtrit(x.shape[2] - 1, LEVEL / 2)


def dunnett_to_the_best(x: np.ndarray, overlap: float = 0.0, resolution: float = 0.0) -> np.ndarray:
    """Each row with the best one alone, by its own variance and Dunnett's quantile."""
    rows, seeds = x.shape[1:]
    return _to_the_best(x, overlap, resolution) < -dunnett(rows - 1, seeds - 1)


def dunnett_to_every(x: np.ndarray, overlap: float = 0.0, resolution: float = 0.0) -> np.ndarray:
    """Each row with every other, each pair by its own variance, and Dunnett's quantile."""
    rows, seeds = x.shape[1:]
    mean, error = _pairs(x, overlap, resolution)
    upper = _without_self(mean + dunnett(rows - 1, seeds - 1) * error, np.inf)
    return upper.min(axis=2) < 0


def gupta(x: np.ndarray, overlap: float = 0.0, resolution: float = 0.0) -> np.ndarray:
    """Gupta's rule as it was published: one variance for all rows, and Dunnett's quantile."""
    del resolution
    rows, seeds = x.shape[1:]
    means = x.mean(axis=2, keepdims=True)
    rest = x - x.mean(axis=1, keepdims=True) - means + x.mean(axis=(1, 2), keepdims=True)
    degrees = (rows - 1) * (seeds - 1)
    error = np.sqrt(2 * (rest**2).sum(axis=(1, 2)) / degrees * (1 / seeds + overlap))
    behind = (means - means.max(axis=1, keepdims=True))[:, :, 0]
    return behind < -dunnett(rows - 1, degrees) * error[:, None]


def tukey(x: np.ndarray, overlap: float = 0.0, resolution: float = 0.0) -> np.ndarray:
    """Tukey's honestly significant difference from the best row: one variance for all rows."""
    del resolution
    rows, seeds = x.shape[1:]
    means = x.mean(axis=2, keepdims=True)
    rest = x - x.mean(axis=1, keepdims=True) - means + x.mean(axis=(1, 2), keepdims=True)
    degrees = (rows - 1) * (seeds - 1)
    error = np.sqrt((rest**2).sum(axis=(1, 2)) / degrees * (1 / seeds + overlap))
    behind = (means - means.max(axis=1, keepdims=True))[:, :, 0]
    return behind < -_range_quantile(rows, degrees) * error[:, None]


RULES = {
    "separate t-tests": separate,
    "Tukey": tukey,
    "Gupta, one variance": gupta,
    "Dunnett, to the best": dunnett_to_the_best,
    "Dunnett, to every row": dunnett_to_every,
    "the leaderboard's before": before,
    "the leaderboard's": ours,
}


@cache
def dunnett(comparisons: int, degrees: int) -> float:
    """Where the largest of this many t with one denominator, correlated by 1/2, reaches 95%."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    shares = (np.arange(200) + 0.5) / 200
    scale = np.sqrt(2 * gammaincinv(degrees / 2, shares) / degrees)[:, None]

    def beyond(t: float) -> float:
        below = np.exp(comparisons * log_ndtr(nodes + t * scale * 2**0.5))
        return float((below * weights).sum(axis=1).mean()) - (1 - LEVEL)

    return float(brentq(beyond, 0.0, 100.0))


@cache
def _range_quantile(rows: int, degrees: int) -> float:
    return float(studentized_range.ppf(1 - LEVEL, rows, degrees))


def _pairs(x: np.ndarray, overlap: float, resolution: float) -> tuple[np.ndarray, np.ndarray]:
    """Row i less row j, and the standard error of that: (tables, rows, rows)."""
    seeds = x.shape[2]
    means = x.mean(axis=2)
    rest = x - means[:, :, None]
    products = np.einsum("bis,bjs->bij", rest, rest) / (seeds - 1)
    own = np.einsum("bii->bi", products)
    variance = np.maximum(own[:, :, None] + own[:, None, :] - 2 * products, resolution**2 / 6)
    error = np.sqrt(np.maximum(variance, 0) * (1 / seeds + overlap))
    return means[:, :, None] - means[:, None, :], error


def _without_self(pairs: np.ndarray, value: float) -> np.ndarray:
    return np.where(np.eye(pairs.shape[1], dtype=bool), value, pairs)


def _to_the_best(x: np.ndarray, overlap: float, resolution: float) -> np.ndarray:
    """Student's t of each row less the best one; 0 for that one itself."""
    mean, error = _pairs(x, overlap, resolution)
    best = x.mean(axis=2).argmax(axis=1)[:, None, None]
    mean, error = (np.take_along_axis(a, best, axis=2)[:, :, 0] for a in (mean, error))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean == 0, 0.0, mean / error)
