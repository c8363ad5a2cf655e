"""What a sweep of this many seeds could show, and what more seeds would."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from nnrun.sweeps.board.comparisons import Standings
from nnrun.sweeps.board.statistics import CONFIDENCE

_POWER = 0.8


@dataclass(frozen=True)
class Shown:
    """The smallest differences that are shown, in the units of the metric.

    A row that is worse than the best by so much is dropped in four of five sweeps.

    Args:
        seeds: of this sweep.
        difference: with these.
        twice: with twice as many.
        four_times: with four times as many.
        limit: with any number; 0 where the seeds do not draw the splits.
    """

    seeds: int
    difference: float
    twice: float
    four_times: float
    limit: float


def shown_by(found: Standings, overlap: float) -> Shown | None:
    """By the usual spread of a row's differences to the best of the others; None without any."""
    spread, seeds = float(np.median(found.spread)), int(np.median(found.number))
    if seeds < 2 or spread == 0 or not isfinite(spread):
        return None
    rows = len(found.spread)
    numbers = (seeds, 2 * seeds, 4 * seeds)
    now, twice, four_times = (smallest_difference(spread, n, rows, overlap) for n in numbers)
    if not isfinite(now):
        return None
    limit = smallest_difference(spread, None, rows, overlap)
    return Shown(seeds, now, twice, four_times, limit)


def smallest_difference(spread: float, seeds: int | None, rows: int, overlap: float) -> float:
    """What is found in four of five tables.

    Args:
        spread: the standard deviation of one run's difference of two rows.
        seeds: that both rows have; None for any number.
        rows: of the table.
        overlap: rows tested per row trained on, where the seed draws the split; else 0. For k
            folds that is 1 / (k - 1), and `seeds` the number of all tests.
    """
    from scipy.special import ndtri, stdtrit  # noqa: PLC0415  # slow to import

    levels = 1 - (1 - CONFIDENCE) / max(rows - 1, 1), _POWER
    if seeds is None:
        return float(sum(map(ndtri, levels))) * spread * sqrt(overlap)
    reach = float(sum(stdtrit(seeds - 1, level) for level in levels))
    return reach * spread * sqrt(1 / seeds + overlap)
