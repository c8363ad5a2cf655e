"""Means with their uncertainty, and how rows of a table are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from statistics import fmean, stdev
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nnrun.sweeps.board.variance import (
    Array,
    Bools,
    Components,
    Degrees,
    Design,
    Estimate,
    estimate,
)

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
    """Change of each line's mean that rounding may cause; NaN is no value."""
    bound: Array = values.shape[-1] * np.finfo(np.float64).eps * np.nanmax(np.abs(values), axis=-1)
    return bound


def mean_of(values: Sequence[float]) -> float:
    """Their mean, also where their sum leaves the range of numbers; infinite where one is."""
    try:
        return fmean(values)
    except OverflowError:
        return fmean([value / len(values) for value in values]) * len(values)


def t_quantile(p: float, degrees: float) -> float:
    """Quantile p of Student's t distribution."""
    from scipy.special import stdtrit  # noqa: PLC0415  # slow to import

    return float(stdtrit(degrees, p))


# Which rows of a table may be the best, and how far each is from the best of the others.
#
# Row i can be dropped where another row j is better beyond chance: the mean of j is larger by more
# than q · e_ij, where e_ij is the standard error of the mean difference of these two rows alone
# (`variance`) and q is the quantile of Student's t at 1 - 0.05 / (rows - 1). Of the rows that are
# truly best, each is dropped in at most 5% of tables, since only rows - 1 others could do it
# (Bonferroni). All other rows stay out of the variance, so that neither a noisy nor a quiet row
# changes what is said of two others.
#
# - Paired rows have runs of the same seeds on the same splits. Of each run only the difference
#   counts, so what makes a seed or a split hard for all rows cancels. Other pairs are held against
#   each other by Welch's variance and degrees of freedom.
# - Where splits are drawn, or are folds, training sets overlap and results are less independent
#   than their spread shows: the variance of a mean is s²·(1/n + n_test/n_train) in place of s²/n,
#   of the share of the splits alone where it is known.
# - The interval of row i is that of its mean less the largest mean of the others, for all rows at
#   once: Hsu's constrained intervals. One end is 0 where the sign is certain.
#
# Dunnett's quantile with rows - 1 comparisons is smaller, but belongs to one variance for all
# pairs: with a variance for each pair it drops the best of 60 equal rows in 16% of tables of 5
# seeds.
#
# `python -m tests.simulations.best_of_table` measures how often this errs.
#
# Sources: Gupta, Technometrics 7 (1965); Hsu, Annals of Statistics 12 (1984), and Multiple
# Comparisons (1996), chapter 4; Welch, Biometrika 34 (1947).

Ints = npt.NDArray[np.intp]

# Of large tables, rows are held against this many of the first; others can hardly drop them.
_OPPONENTS = 300
_AT_A_TIME = 200_000


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with two runs or more each, the best first.

    Args:
        values: (rows, replicates), larger is better; NaN where a row has no such run.
        design: of the replicates.
        splits: (rows,), equal where runs of one replicate have the same rows in the same splits.
        overlap: (rows,), rows tested per row trained on, where splits are drawn; else 0.
        resolution: (rows,), the step between two possible values; 1/30 for accuracy on 30 rows.
        sound: (rows,), whether no run of a row diverged. Others drop no row.
    """

    values: Array
    design: Design
    splits: Ints
    overlap: Array
    resolution: Array
    sound: Bools


@dataclass(frozen=True, eq=False)
class Standings:
    """Each row beside the best of the others; arrays of one number a row.

    Args:
        difference: its mean less the largest of the others; negative where it is worse.
        low: lower end of the simultaneous 95% interval of that; at most 0 unless it is the best.
        high: its upper end; 0 where the row can be dropped.
        p: the smallest level at which it could be dropped, at most 1.
        kept: whether it may be the best.
        components: the variance of one run's difference to that best of the others, by source.
        paired: whether it is paired with that row.
    """

    difference: Array
    low: Array
    high: Array
    p: Array
    kept: Bools
    components: Components
    paired: Bools


@dataclass(frozen=True, eq=False)
class Differences:
    """Some rows less the best of others; arrays of one number a row.

    `low` and `high` are the ends of the 95% interval of the mean difference, which holds for all of
    these rows at once; `opponent` is the row that `mean` is the difference to.
    """

    mean: Array
    low: Array
    high: Array
    opponent: Ints


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Some rows less some opponents; arrays (rows, opponents), infinite for a row and itself."""

    mean: Array
    error: Array
    degrees: Degrees
    components: Components
    paired: Bools


def standings(table: Table) -> Standings:
    """Standings of two rows or more."""
    scale, values = in_units(table.values)
    opponents = np.flatnonzero(table.sound)[:_OPPONENTS]
    if not len(opponents):
        opponents = np.arange(min(len(values), _OPPONENTS))
    kept = np.concatenate(
        [_upper(p, len(values)) >= 0 for p in _pairs(table, values, scale, opponents, opponents)]
    )
    every = np.arange(len(values))
    found = [
        _standings(pairs, kept, len(values))
        for pairs in _pairs(table, values, scale, every, opponents)
    ]
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    difference, low, high, p, paired, *variances = columns
    others = np.setdiff1d(np.flatnonzero(table.sound & (high >= 0)), opponents)
    low = np.minimum(low, _above(_alone(table, values, scale), others, _level(len(values)) / 2))
    with np.errstate(over="ignore"):  # of numbers near the largest, an end may be infinite
        ends = difference * scale, np.minimum(low, 0.0) * scale, np.maximum(high, 0.0) * scale
        components = Components(*(variance * scale * scale for variance in variances))
        return Standings(*ends, p, high >= 0, components, paired.astype(bool))


def beside_best(table: Table, rows: Ints, opponents: Ints) -> Differences:
    """Rows less the best of these opponents, with two-sided intervals.

    The difference to the best is the smallest of the differences to all, so that it is between the
    smallest of their lower ends and the smallest of their upper ends. Each end of each pair is
    outside with a probability of 5% divided by their number.
    """
    scale, values = in_units(table.values)
    level = (1 - CONFIDENCE) / (2 * len(rows) * len(opponents))
    found, nearest = [], []
    for pairs in _pairs(table, values, scale, rows, opponents):
        nearest.append(opponents[np.argmin(pairs.mean, axis=1)])
        reach = pairs.degrees.quantile(level) * pairs.error
        ends = (pairs.mean, pairs.mean - reach, pairs.mean + reach)
        found.append([np.min(each, axis=1) for each in ends])
    mean, low, high = (scale * np.concatenate(each) for each in zip(*found, strict=True))
    return Differences(mean, low, high, np.concatenate(nearest))


def _standings(pairs: _Pairs, kept: Bools, rows: int) -> tuple[Array, ...]:
    """The columns of `Standings` but `kept`, the ends not yet held at 0."""
    quantiles = pairs.degrees.quantile(_level(rows))
    reach = quantiles * pairs.error
    line = np.arange(len(reach))
    best = np.argmin(pairs.mean, axis=1)
    among = np.where(kept, pairs.mean - reach, np.inf)
    low = np.min(among, axis=1)
    high = np.min(pairs.mean + reach, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = pairs.mean / pairs.error
        worst = np.argmin(np.where(np.isnan(t), 0.0, t / quantiles), axis=1)
    t = np.nan_to_num(t[line, worst], nan=0.0, posinf=np.inf, neginf=-np.inf)
    degrees = Degrees(*(part[line, worst] for part in pairs.degrees))
    tail = degrees.tail(np.abs(t))
    p = np.minimum(1.0, (rows - 1) * np.where(t < 0, tail, 1 - tail))
    difference = pairs.mean[line, best]
    alone = ~np.isfinite(low)  # no other row may be the best: this one is
    low = np.where(alone, 0.0, np.minimum(low, difference))
    high = np.maximum(high, difference)
    rest = (column[line, best] for column in (pairs.paired, *pairs.components))
    return difference, low, high, p, *rest


def _above(alone: Estimate, others: Ints, level: float) -> Array:
    """The least that each row may be above the best of these other rows; infinite without any.

    In place of the interval of each difference, which would take too long, both means are within
    their own: each at half the level, however the two rows depend on each other.
    """
    reach = alone.degrees.quantile(level) * alone.error
    ends = np.full(len(reach), -np.inf)
    ends[others] = alone.mean[others] + reach[others]
    second, first = np.sort(ends)[-2:]
    best = np.where(ends == first, second, first)
    above: Array = alone.mean - reach - best
    return above


def _upper(pairs: _Pairs, rows: int) -> Array:
    reach = pairs.degrees.quantile(_level(rows)) * pairs.error
    upper: Array = np.min(pairs.mean + reach, axis=1)
    return upper


def _level(rows: int) -> float:
    """Level of one of rows - 1 one-sided comparisons."""
    return (1 - CONFIDENCE) / (rows - 1)


def _pairs(
    table: Table, values: Array, scale: float, rows: Ints, opponents: Ints
) -> Iterator[_Pairs]:
    """All pairs, as many rows at a time as take little memory."""
    step = max(1, _AT_A_TIME // (len(opponents) * values.shape[1]))
    # Values are rounded to the resolution; the difference of two has the error of both.
    rounding = (table.resolution / scale) ** 2 / 12
    alone, least = _alone(table, values, scale), rounding_of(values)
    columns = np.ascontiguousarray(values.T)  # so that sums over replicates are of whole arrays
    for start in range(0, len(rows), step):
        i, j = rows[start : start + step, None], opponents[None, :]
        alike = table.splits[i] == table.splits[j]
        apart = np.moveaxis(columns[:, i] - columns[:, j], 0, -1)
        paired = estimate(apart, table.design, table.overlap[i], 2 * rounding[i])
        use = alike & (paired.layout.number > 1)
        found = _either(paired, alone, i, j, use)
        known = np.maximum(least[i], least[j])  # what is smaller comes of rounding alone
        mean, error = (np.where(np.abs(each) > known, each, 0.0) for each in found[:2])
        yield _Pairs(np.where(i == j, np.inf, mean), error, found.degrees, found.components, use)


def _either(paired: Estimate, alone: Estimate, i: Ints, j: Ints, use: Bools) -> Estimate:
    """The differences of pairs where rows are paired, else those of the means alone."""
    if use.all():
        degrees = Degrees(*(part.astype(np.float64) for part in paired.degrees))
        return paired._replace(degrees=degrees)
    error, others = _welch(i, j, alone)
    return Estimate(
        np.where(use, paired.mean, alone.mean[i] - alone.mean[j]),
        np.where(use, paired.error, error),
        Degrees(*(np.where(use, *both) for both in zip(paired.degrees, others, strict=True))),
        Components(
            *(
                np.where(use, one, other[i] + other[j])
                for one, other in zip(paired.components, alone.components, strict=True)
            )
        ),
        paired.layout,
    )


def _alone(table: Table, values: Array, scale: float) -> Estimate:
    rounding = (table.resolution / scale) ** 2 / 12
    return estimate(values, table.design, table.overlap, rounding)


def _welch(i: Ints, j: Ints, alone: Estimate) -> tuple[Array, Degrees]:
    """The standard error of the difference of two samples, with whole degrees of freedom."""
    parts, own = alone.error**2, alone.degrees.least
    both = parts[i] + parts[j]
    with np.errstate(divide="ignore", invalid="ignore"):  # of rows without any noise
        shares = (parts[i] / both) ** 2 / own[i] + (parts[j] / both) ** 2 / own[j]
        degrees = np.floor(1 / shares)
    degrees = np.where(both > 0, degrees, np.minimum(own[i], own[j]))
    return np.sqrt(both), Degrees(degrees, np.ones_like(degrees), np.ones_like(degrees))
