"""Rules for comparisons with the best row: the leaderboard's, and what else there is.

Each takes values (rows, seeds) on common splits, larger is better, the best row first, and says of
each other row whether it is called worse.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr
from scipy.stats import studentized_range

from nnrun.sweeps.board.comparisons import paired_differences

LEVEL = 0.05


def ours(values: np.ndarray) -> np.ndarray:
    return paired_differences(values, rows=len(values)).p <= LEVEL


def separate(values: np.ndarray) -> np.ndarray:
    """Student's paired t-test of each row by itself."""
    return _paired_p(values) <= LEVEL


def holm(values: np.ndarray) -> np.ndarray:
    """Holm's correction of these tests for their number, which forgets that the best was picked."""
    p = _paired_p(values)
    order = np.argsort(p)
    passed = np.cumprod(p[order] <= LEVEL / (len(p) - np.arange(len(p)))).astype(bool)
    worse = np.zeros(len(p), dtype=bool)
    worse[order[passed]] = True
    return worse


def all_pairs(values: np.ndarray) -> np.ndarray:
    """Bonferroni over all pairs of rows, each with the variance of its own differences."""
    rows = len(values)
    return _paired_p(values) * rows * (rows - 1) / 2 <= LEVEL


def tukey(values: np.ndarray) -> np.ndarray:
    """Tukey's honestly significant difference in blocks: one variance for all rows."""
    rows, seeds = values.shape
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    degrees = (rows - 1) * (seeds - 1)
    error = np.sqrt((rest**2).sum() / degrees / seeds)
    means = values.mean(axis=1)
    return (means[0] - means[1:]) / error > _range_quantile(rows, degrees)


RULES = {
    "separate t-tests": separate,
    "Holm": holm,
    "Tukey": tukey,
    "all pairs, own variances": all_pairs,
    "the leaderboard's": ours,
}
_QUANTILES: dict[tuple[int, int], float] = {}


def _range_quantile(rows: int, degrees: int) -> float:
    if (rows, degrees) not in _QUANTILES:
        _QUANTILES[rows, degrees] = float(studentized_range.ppf(1 - LEVEL, rows, degrees))
    return _QUANTILES[rows, degrees]


def _paired_p(values: np.ndarray) -> np.ndarray:
    differences = values[0] - values[1:]
    seeds = values.shape[1]
    error = differences.std(axis=1, ddof=1) / np.sqrt(seeds)
    return 2 * stdtr(seeds - 1, -differences.mean(axis=1) / error)
