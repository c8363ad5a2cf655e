"""Which rows of a table may be the best, and how far each is from the best of the others.

Row i can be dropped where another row j is better beyond chance: the mean of j is larger by more
than q · s_ij · √(1/n + n_test/n_train), where s_ij² is the variance of the differences of these
two rows alone and q is the quantile of Student's t at 1 - 0.05 / (rows - 1). Of the rows that are
truly best, each is dropped in at most 5% of tables, since only rows - 1 others could do it
(Bonferroni). All other rows stay out of the variance, so that neither a noisy nor a quiet row
changes what is said of two others.

- Paired rows have runs of the same seeds on the same splits. Of each seed only the difference
  counts, so whatever makes a seed or a split hard for all rows cancels. Other pairs are held
  against each other by Welch's variance and degrees of freedom.
- Where the seed also draws the split, training sets overlap and results are less independent than
  their spread shows: the variance of a mean is s²·(1/n + n_test/n_train) in place of s²/n.
- The interval of row i is that of its mean less the largest mean of the others, for all rows at
  once: Hsu's constrained intervals. One end is 0 where the sign is certain.

Dunnett's quantile with rows - 1 comparisons is smaller, but belongs to one variance for all pairs:
with a variance for each pair it drops the best of 60 equal rows in 16% of tables of 5 seeds.

`python -m tests.simulations.best_of_table` measures how often this errs.

Sources: Gupta, Technometrics 7 (1965); Hsu, Annals of Statistics 12 (1984), and Multiple
Comparisons (1996), chapter 4; Nadeau and Bengio, Machine Learning 52 (2003); Welch, Biometrika 34
(1947).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnrun.sweeps.board.statistics import CONFIDENCE

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

# Of large tables, rows are held against so many of the first: none loses to one further down.
_OPPONENTS = 300
_AT_A_TIME = 200_000


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with two runs or more each, the best first.

    Args:
        values: (rows, seeds), larger is better; NaN where a row has no such run.
        splits: (rows,), equal where runs of one seed have the same rows in the same splits.
        overlap: (rows,), rows tested per row trained on, where the seed draws the split; else 0.
        resolution: (rows,), the step between two possible values; 1/30 for accuracy on 30 rows.
        sound: (rows,), whether no run of a row diverged. Others drop no row.
    """

    values: Array
    splits: Ints
    overlap: Array
    resolution: Array
    sound: Bools

    @classmethod
    def of(cls, values: Array, overlap: float = 0.0, resolution: float = 0.0) -> Table:
        """Rows of the same splits, all of them sound."""
        rows = len(values)
        return cls(
            values,
            np.zeros(rows, dtype=np.intp),
            np.full(rows, overlap),
            np.full(rows, resolution),
            np.ones(rows, dtype=bool),
        )


@dataclass(frozen=True, eq=False)
class Standings:
    """Each row beside the best of the others; arrays of one number a row.

    Args:
        difference: its mean less the largest of the others; negative where it is worse.
        low: lower end of the simultaneous 95% interval of that; at most 0 unless it is the best.
        high: its upper end; 0 where the row can be dropped.
        p: the smallest level at which it could be dropped, at most 1.
        kept: whether it may be the best.
        spread: the standard deviation of one run's difference to that best of the others.
        number: of such differences.
        paired: whether it is paired with that row.
    """

    difference: Array
    low: Array
    high: Array
    p: Array
    kept: Bools
    spread: Array
    number: Array
    paired: Bools


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Some rows less some opponents; arrays (rows, opponents), infinite for a row and itself."""

    mean: Array
    error: Array
    degrees: Array
    spread: Array
    number: Array
    paired: Bools


def standings(table: Table) -> Standings:
    """Of two rows or more."""
    scale, values = _scaled(table.values)
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
    difference, low, high, p, spread, number, paired = columns
    with np.errstate(over="ignore"):  # of numbers near the largest, an end may be infinite
        ends = difference * scale, np.minimum(low, 0.0) * scale, np.maximum(high, 0.0) * scale
        return Standings(*ends, p, high >= 0, spread * scale, number, paired.astype(bool))


def quantiles(degrees: Array, rows: int) -> Array:
    """Of Student's t, at the level of one of rows - 1 one-sided comparisons."""
    from scipy.special import stdtrit  # noqa: PLC0415  # slow to import

    different, places = np.unique(degrees, return_inverse=True)
    found: Array = -stdtrit(different, (1 - CONFIDENCE) / (rows - 1))
    return found[places].reshape(degrees.shape)


def _standings(pairs: _Pairs, kept: Bools, rows: int) -> tuple[Array, ...]:
    """The columns of `Standings` but `kept`, the ends not yet held at 0."""
    from scipy.special import stdtr  # noqa: PLC0415  # slow to import

    reach = quantiles(pairs.degrees, rows) * pairs.error
    line = np.arange(len(reach))
    best = np.argmin(pairs.mean, axis=1)
    among = np.where(kept, pairs.mean - reach, np.inf)
    low = np.min(among, axis=1)
    high = np.min(pairs.mean + reach, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = pairs.mean / pairs.error
        worst = np.argmin(np.where(np.isnan(t), 0.0, t / quantiles(pairs.degrees, rows)), axis=1)
    t = np.nan_to_num(t[line, worst], nan=0.0, posinf=np.inf, neginf=-np.inf)
    p = np.minimum(1.0, (rows - 1) * stdtr(pairs.degrees[line, worst], t))
    difference = pairs.mean[line, best]
    alone = ~np.isfinite(low)  # no other row may be the best: this one is
    low = np.where(alone, 0.0, np.minimum(low, difference))
    high = np.maximum(high, difference)
    rest = (column[line, best] for column in (pairs.spread, pairs.number, pairs.paired))
    return difference, low, high, p, *rest


def _upper(pairs: _Pairs, rows: int) -> Array:
    upper: Array = np.min(pairs.mean + quantiles(pairs.degrees, rows) * pairs.error, axis=1)
    return upper


def _scaled(values: Array) -> tuple[float, Array]:
    """A power of two near the largest size, and values in units of it: no square is infinite."""
    largest = float(np.nanmax(np.abs(values)))
    scale = 2.0 ** (np.frexp(largest)[1] - 1)
    return scale, values / scale


def _pairs(
    table: Table, values: Array, scale: float, rows: Ints, opponents: Ints
) -> Iterator[_Pairs]:
    """All pairs, as many rows at a time as take little memory."""
    step = max(1, _AT_A_TIME // (len(opponents) * values.shape[1]))
    number = np.sum(np.isfinite(values), axis=1)
    means = np.nanmean(values, axis=1)
    variances = np.maximum(np.nanvar(values, axis=1, ddof=1), (table.resolution / scale) ** 2 / 12)
    for start in range(0, len(rows), step):
        i, j = rows[start : start + step, None], opponents[None, :]
        alike = table.splits[i] == table.splits[j]
        paired = _paired(values[i] - values[j], table.overlap[i], (table.resolution[i] / scale))
        welch = _welch(i, j, number, means, variances, table.overlap)
        use = alike & (paired[-1] > 1)
        mean, error, degrees, spread, of = (
            np.where(use, one, other) for one, other in zip(paired, welch, strict=True)
        )
        yield _Pairs(np.where(i == j, np.inf, mean), error, degrees, spread, of, use)


def _paired(differences: Array, overlap: Array, resolution: Array) -> tuple[Array, ...]:
    """Mean, its error, degrees of freedom, standard deviation and number of these differences."""
    known = np.isfinite(differences)
    number = known.sum(axis=2)
    differences = np.where(known, differences, 0.0)
    mean = differences.sum(axis=2) / np.maximum(number, 1)
    rest = (differences - mean[:, :, None]) * known
    squares = np.einsum("ijs,ijs->ij", rest, rest)
    # Values are rounded to the resolution; the difference of two has the error of both.
    variance = np.maximum(squares / np.maximum(number - 1, 1), resolution**2 / 6)
    error = np.sqrt(variance * (1 / np.maximum(number, 1) + overlap))
    return mean, error, np.maximum(number - 1, 1), np.sqrt(variance), number


def _welch(
    i: Ints, j: Ints, number: Ints, means: Array, variances: Array, overlap: Array
) -> tuple[Array, ...]:
    """The same for two samples, with whole degrees of freedom."""
    parts = variances * (1 / number + overlap)
    both = parts[i] + parts[j]
    with np.errstate(divide="ignore", invalid="ignore"):  # of rows without any noise
        shares = (parts[i] / both) ** 2 / (number[i] - 1)
        shares += (parts[j] / both) ** 2 / (number[j] - 1)
        degrees = np.floor(1 / shares)
    degrees = np.where(both > 0, degrees, np.minimum(number[i], number[j]) - 1)
    spread = np.sqrt(variances[i] + variances[j])
    return means[i] - means[j], np.sqrt(both), degrees, spread, np.minimum(number[i], number[j])
