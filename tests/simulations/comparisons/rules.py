"""Rules for what can be dropped: the leaderboard's, the one before it, and what else there is.

Each takes values (tables, rows, seeds) on common splits, larger is better, and says of each row
whether it is dropped. Whole tables at a time: this is the leaderboard's rule written again, and
`tests/sweeps/board/comparison/test_comparisons.py` holds the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv, log_ndtr, stdtrit
from scipy.stats import studentized_range

from tests.simulations.comparisons.rule_before import paired_differences

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
