"""Settings compared over several data sets, by their ranks on each.

Friedman's test asks whether any setting differs; Nemenyi's critical difference says which mean
ranks do, and Holm's steps which differ from the best by Wilcoxon's signed ranks (Demšar, JMLR 7,
2006). The Bayesian signed-rank test says how probable it is that one of two settings is better, or
both are as good within a region of equivalence (Benavoli et al., JMLR 18, 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from nnrun.nn.signature import Array

_DRAWS = 50_000
_PRIOR = 0.5


@dataclass(frozen=True)
class Pair:
    """A setting beside the one with the best mean rank.

    Args:
        setting: its place.
        p: of Wilcoxon's signed-rank test, adjusted by Holm; None if all differences are 0.
        better: the probability that the setting is better.
        equal: that the difference is within the region of equivalence.
        worse: that it is worse.
    """

    setting: int
    p: float | None
    better: float
    equal: float
    worse: float


@dataclass(frozen=True)
class Ranks:
    """What the ranks of settings on several data sets say.

    Args:
        mean: of the ranks of each setting, 1 for the best; equal values share a rank.
        chi_square: of Friedman's test, corrected for ties.
        p: of that test.
        critical: by Nemenyi, the difference of mean ranks from which two settings differ at 95%.
        pairs: of each other setting beside the best; none where differences cannot be compared.
        rope: half the width of the region of equivalence.
    """

    mean: list[float]
    chi_square: float
    p: float
    critical: float
    pairs: list[Pair]
    rope: float | None


def ranks_of(values: Array, rope: float | None = 0.01) -> Ranks:
    """Compare the columns of a table, which are settings, over its rows, which are data sets.

    Args:
        values: (data sets, settings), at least two of each, without gaps; the largest is the best.
        rope: differences up to this one do not matter; None where rows are in different units.
    """
    from scipy import stats  # noqa: PLC0415  # slow to import

    sets, settings = values.shape
    merit = _shown(values, 12)
    ranks = stats.rankdata(-merit, axis=1)
    mean = ranks.mean(axis=0)
    spread = ((ranks - (settings + 1) / 2) ** 2).sum()
    chi_square = 0.0
    if spread:
        between = sets * ((mean - (settings + 1) / 2) ** 2).sum()
        chi_square = float((settings - 1) * sets * between / spread)
    quantile = float(stats.studentized_range.ppf(0.95, settings, np.inf)) / sqrt(2)
    best = int(mean.argmin())
    others = [at for at in range(settings) if at != best and rope is not None]
    apart = [_shown(merit[:, other] - merit[:, best], 9) for other in others]
    tests = [float(stats.wilcoxon(each).pvalue) if each.any() else None for each in apart]
    return Ranks(
        mean.tolist(),
        chi_square,
        float(stats.chi2.sf(chi_square, settings - 1)),
        quantile * sqrt(settings * (settings + 1) / (6 * sets)),
        [
            Pair(other, p, *signed_ranks(differences, rope or 0.0))
            for other, differences, p in zip(others, apart, _holm(tests), strict=True)
        ],
        rope,
    )


def _shown(values: Array, digits: int) -> Array:
    """The values to so many digits: the last bits of means decide no tie and no end of a region."""
    shown = [float(f"{value:.{digits}g}") for value in values.flat]
    return np.array(shown).reshape(values.shape)


def _holm(p: Sequence[float | None]) -> list[float | None]:
    """The same p, each the smallest level at which Holm's steps reject it."""
    known = sorted((value, at) for at, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    largest = 0.0
    for step, (value, at) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - step)))
        adjusted[at] = largest
    return adjusted


def signed_ranks(differences: Array, rope: float) -> tuple[float, float, float]:
    """The probabilities that differences are above the region, within it, and below.

    They are shares of 50,000 draws of the Dirichlet weights of the data sets, beside a difference
    of 0 with the weight of half a data set: in each draw the largest of the three sums of weights
    of pairs, whose mean is above, within or below.
    """
    values = np.concatenate([[0.0], differences])
    rng = np.random.default_rng(0)
    prior = np.concatenate([[_PRIOR], np.ones(len(differences))])
    weights = rng.dirichlet(prior, _DRAWS)
    sums = values[:, np.newaxis] + values
    end = 2 * rope * (1 + 1e-9)
    above, below = (sums > end).astype(float), (sums < -end).astype(float)
    up = np.einsum("ni,ij,nj->n", weights, above, weights, optimize=True)
    down = np.einsum("ni,ij,nj->n", weights, below, weights, optimize=True)
    between = 1 - up - down
    most = np.argmax(np.stack([up, between, down]), axis=0)
    better, equal, worse = np.bincount(most, minlength=3) / _DRAWS
    return float(better), float(equal), float(worse)
