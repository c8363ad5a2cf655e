"""Means that come with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Several values of one number.

    Args:
        n: how many.
        mean: of them.
        sd: the standard deviation of the sample (n - 1); None for a single value.
        low: lower end of the 95% t-interval of the mean, mean - t·sd/√n; None likewise.
        high: its upper end.
        minimum: the smallest value.
        maximum: the largest.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    minimum: float
    maximum: float


def summarize(values: Sequence[float]) -> Summary | None:
    """Their summary; None where there are none."""
    n = len(values)
    if n == 0:
        return None
    mean = fmean(values)
    if n == 1:
        return Summary(1, mean, None, None, None, mean, mean)
    sd = stdev(values)
    half = t_quantile((1 + CONFIDENCE) / 2, n - 1) * sd / sqrt(n)
    return Summary(n, mean, sd, mean - half, mean + half, min(values), max(values))


def paired_p(differences: Sequence[float]) -> float | None:
    """The two-sided p of Student's paired t-test: how easily noise alone makes such a mean.

    None for fewer than two pairs.
    """
    n = len(differences)
    if n < 2:
        return None
    mean, sd = fmean(differences), stdev(differences)
    if sd == 0:
        return 1.0 if mean == 0 else 0.0
    return 2 * t_below(-abs(mean) / (sd / sqrt(n)), n - 1)


def welch_p(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """The two-sided p of Welch's t-test, for values that are no pairs.

    None where one side has fewer than two. Welch, Biometrika 34 (1947).
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    difference = fmean(ours) - fmean(theirs)
    spreads = [stdev(values) for values in (ours, theirs)]
    unit = max(spreads)
    if unit == 0:
        return 1.0 if difference == 0 else 0.0
    # In units of the larger spread, so that no square leaves the range of numbers.
    difference /= unit
    parts = [(s / unit) ** 2 / len(v) for s, v in zip(spreads, (ours, theirs), strict=True)]
    weights = [len(ours) - 1, len(theirs) - 1]
    degrees = sum(parts) ** 2 / sum(p**2 / w for p, w in zip(parts, weights, strict=True))
    return 2 * t_below(-abs(difference) / sqrt(sum(parts)), degrees)


def t_quantile(p: float, degrees: int) -> float:
    """Where Student's t distribution reaches p."""
    from scipy.special import stdtrit  # noqa: PLC0415  # slow to import

    return float(stdtrit(degrees, p))


def t_below(t: float, degrees: float) -> float:
    """The probability of values below t."""
    from scipy.special import stdtr  # noqa: PLC0415  # slow to import

    return 0.0 if t == -inf else float(stdtr(degrees, t))
