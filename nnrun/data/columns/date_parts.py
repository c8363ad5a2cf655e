"""Parts of dates as numbers: year, month, hour, …, the days gone by, and positions on a circle."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.nn.signature import Array

Times = npt.NDArray[Any]
"""Times as datetime64[us]; NaT where one is missing."""

CYCLIC = "cyclic"
"""Among the parts: periodic ones become a sine and a cosine."""
EPOCH = "2000-01-01"
"""From here on `elapsed` counts days; fixed, so that no row decides it."""
_EPOCH = np.datetime64(EPOCH, "us")
_DAY = np.timedelta64(1, "D")


def _within(times: Times, unit: str, of: str) -> Array:
    """How many whole units a time is into its year, month, day or hour."""
    found: Array = times.astype(f"M8[{unit}]") - times.astype(f"M8[{of}]")
    return found.astype(np.int64)


PARTS: dict[str, Callable[[Times], Array]] = {
    "year": lambda times: times.astype("M8[Y]").astype(np.int64) + 1970,
    "quarter": lambda times: _within(times, "M", "Y") // 3 + 1,
    "month": lambda times: _within(times, "M", "Y") + 1,
    "day": lambda times: _within(times, "D", "M") + 1,
    "dayofyear": lambda times: _within(times, "D", "Y") + 1,
    "weekday": lambda times: (times.astype("M8[D]").astype(np.int64) + 3) % 7,
    "hour": lambda times: _within(times, "h", "D"),
    "minute": lambda times: _within(times, "m", "h"),
    "elapsed": lambda times: (times - _EPOCH) / _DAY,
}
"""Each part of times without NaT; weekdays count from Monday, 0."""
PERIODS = {
    "quarter": (1, 4),
    "month": (1, 12),
    "day": (1, 31),
    "dayofyear": (1, 366),
    "weekday": (0, 7),
    "hour": (0, 24),
    "minute": (0, 60),
}
"""The first value of each periodic part, and how many there are."""


def part_names(parts: Sequence[str]) -> list[str]:
    """The names of the features: those of the parts, or `month_sin` and `month_cos`."""
    names: list[str] = []
    for part in parts:
        if part != CYCLIC:
            on_circle = CYCLIC in parts and part in PERIODS
            names += [f"{part}_sin", f"{part}_cos"] if on_circle else [part]
    return names


def date_parts(local: Times, instants: Times, parts: Sequence[str]) -> Array:
    """The parts of times as features: (rows, features), NaN where a time is missing.

    Args:
        local: the times as they are written, on the clock of their time zone.
        instants: the same in UTC, for `elapsed`.
        parts: names of `PARTS`, in order, and perhaps `cyclic`.
    """
    missing = np.isnat(local)
    columns: list[Array] = [np.empty((len(local), 0))]
    for part in parts:
        if part == CYCLIC:
            continue
        times = np.where(missing, _EPOCH, instants if part == "elapsed" else local)
        values = PARTS[part](times)
        columns.append(
            _circle(*PERIODS[part])[values - PERIODS[part][0]]
            if CYCLIC in parts and part in PERIODS
            else values[:, None].astype(np.float64)
        )
    features = np.hstack(columns)
    features[missing] = np.nan
    return features


def _circle(_: int, count: int) -> Array:
    """Sine and cosine of each value of a periodic part.

    To 12 decimals: the last bits of these functions differ between processors and systems.
    """
    angles = [2 * math.pi * place / count for place in range(count)]
    return np.array([(round(math.sin(a), 12), round(math.cos(a), 12)) for a in angles]) + 0.0
