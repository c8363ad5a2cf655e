"""Rows in the order of time: the seasons of a series, and earlier values as predictions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.nn.signature import Array

_DAY = timedelta(days=1)
_ROWS_FOR_LAG = 4
# How many rows make a day or week, or a year, by the step between rows.
_SEASONS = {
    timedelta(minutes=10): (144, 1008),
    timedelta(minutes=15): (96, 672),
    timedelta(minutes=30): (48, 336),
    timedelta(hours=1): (24, 168),
    _DAY: (7,),
    7 * _DAY: (52,),
    30 * _DAY: (12,),
    31 * _DAY: (12,),
}


def seasons(step: timedelta | None, rows: int) -> list[int]:
    """How many rows make a season, of series with this step that have enough of them."""
    lengths = _SEASONS.get(step, ()) if step else ()
    return [length for length in lengths if _ROWS_FOR_LAG * length <= rows]


def earlier_values(
    y: Array, times: npt.NDArray[Any], groups: npt.NDArray[np.int64] | None = None
) -> dict[str, Array]:
    """The values one step of time before each row, and one season before, by the number of steps.

    A step goes from one time to the next that the group has; where it has several rows of one time,
    their mean counts.

    Args:
        y: (rows, outputs), in any order.
        times: of each row.
        groups: of each row, a number; None for a single series.

    Returns: (rows, outputs) for each number of steps; NaN where nothing is so much earlier.
    """
    order, moments = np.unique(times, return_inverse=True)
    series = (
        np.zeros(len(y), np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    )
    cells, place, count = np.unique(
        series * len(order) + moments, return_inverse=True, return_counts=True
    )
    means = np.stack([np.bincount(place, column) / count for column in y.T], axis=1)
    series, moments = np.divmod(cells, len(order))
    step = _usual_step(np.diff(order[moments])[np.diff(series) == 0])
    found = {}
    for steps in (1, *seasons(step, len(cells) // len(np.unique(series)))):
        before = np.full(means.shape, np.nan)
        same = series[steps:] == series[:-steps]
        before[steps:][same] = means[:-steps][same]
        found[str(steps)] = before[place]
    return found


def _usual_step(gaps: npt.NDArray[Any]) -> timedelta | None:
    """The gap between times that most have, if times are dates and there is one."""
    if gaps.dtype.kind != "m" or not len(gaps):
        return None
    lengths, counts = np.unique(gaps, return_counts=True)
    usual: timedelta = lengths[counts.argmax()].astype("m8[us]").astype(object)
    return usual if 2 * counts.max() > len(gaps) else None
