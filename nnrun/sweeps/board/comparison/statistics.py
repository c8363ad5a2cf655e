"""Means that come with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from statistics import fmean, stdev
from typing import ClassVar

import numpy as np

from nnrun.sweeps.board.variance.components import estimate
from nnrun.sweeps.board.variance.sharing import Array, Design

CONFIDENCE = 0.95
# Of what is read from files: a key that nnrun does not write is an error.
AS_WRITTEN = {"extra": "forbid"}


@dataclass(frozen=True)
class Summary:
    """Several values of one number.

    Args:
        n: how many.
        mean: of them.
        sd: the standard deviation of the sample (n - 1); None for a single value.
        ci_low: lower end of the 95% t-interval of the mean, by `variance`; None likewise.
        ci_high: its upper end.
        minimum: the smallest value.
        maximum: the largest.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    n: int
    mean: float
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    minimum: float
    maximum: float

    @property
    def half(self) -> float | None:
        """Half the interval, what ± means; its longer side where it ends at a bound."""
        if self.ci_low is None or self.ci_high is None:
            return None
        return max(self.mean - self.ci_low, self.ci_high - self.mean)


def summarize(
    values: Sequence[float],
    overlap: float = 0.0,
    within: tuple[float, float] = (-inf, inf),
    design: Design | None = None,
) -> Summary | None:
    """Their summary; None where there are none.

    Args:
        values: finite. An end of the interval that leaves the range of numbers is None.
        overlap: rows tested per row trained on, where splits are drawn.
        within: the values that are possible, which the interval does not leave.
        design: which values share a split or weights; by default none do.
    """
    n = len(values)
    if n == 0:
        return None
    mean = mean_of(values)
    if n == 1:
        return Summary(1, mean, None, None, None, mean, mean)
    sd = stdev(values)
    if design is None or not design.shares:
        half = half_interval(sd, n, overlap)
    else:
        half = _half_of(values, overlap, design)
    ends = (max(mean - half, within[0]), min(mean + half, within[1]))
    low, high = (end if isfinite(end) else None for end in ends)
    return Summary(n, mean, sd, low, high, min(values), max(values))


def outlined(values: Sequence[float]) -> Summary | None:
    """Their number, mean and range alone, which take a tenth of the time; None without any."""
    if not values:
        return None
    return Summary(len(values), mean_of(values), None, None, None, min(values), max(values))


def half_interval(sd: float, n: int, overlap: float = 0.0) -> float:
    """Half the 95% t-interval of the mean of two values or more that share nothing."""
    return t_quantile((1 + CONFIDENCE) / 2, n - 1) * sd * sqrt(1 / n + overlap)


def _half_of(values: Sequence[float], overlap: float, design: Design) -> float:
    unit, scaled = in_units(values)
    found = estimate(scaled, design, overlap)
    return float(found.degrees.quantile((1 - CONFIDENCE) / 2) * found.error) * unit


def in_units(values: Sequence[float] | Array) -> tuple[float, Array]:
    """A power of two near the largest size, and values in units of it: no square is infinite."""
    array = np.asarray(values, dtype=np.float64)
    unit = 2.0 ** (np.frexp(np.nanmax(np.abs(array)))[1] - 1)
    return float(unit), array / unit


def rounding_of(values: Array) -> Array:
    """By how much rounding may change the mean of each line of values, in which NaN is no value."""
    bound: Array = values.shape[-1] * np.finfo(np.float64).eps * np.nanmax(np.abs(values), axis=-1)
    return bound


def mean_of(values: Sequence[float]) -> float:
    """Their mean, also where their sum leaves the range of numbers; infinite where one is."""
    try:
        return fmean(values)
    except OverflowError:
        return fmean([value / len(values) for value in values]) * len(values)


def t_quantile(p: float, degrees: float) -> float:
    """Where Student's t distribution reaches p."""
    from scipy.special import stdtrit  # noqa: PLC0415  # slow to import

    return float(stdtrit(degrees, p))
