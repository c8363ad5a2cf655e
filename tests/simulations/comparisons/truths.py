"""Tables whose rows have known means and noise, and how often intervals miss them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tests.simulations.comparisons.rules import intervals
from tests.simulations.comparisons.tables import over_data_sets

SEED = 42
_AT_A_TIME = 250
Size = tuple[int, int]


def chunks(tables: int) -> Iterator[int]:
    """This many tables, in parts that need little memory."""
    while tables > 0:
        yield min(tables, _AT_A_TIME)
        tables -= _AT_A_TIME


def _half_noisy(k: int) -> np.ndarray:
    return np.where(np.arange(k) % 2, 1, 10)


TRUTHS: dict[str, Callable[[int], tuple[np.ndarray, np.ndarray]]] = {
    "equal rows": lambda k: (np.zeros(k), np.ones(k)),
    "half worse by 2 sd": lambda k: (-2.0 * (np.arange(k) >= (k + 1) // 2), np.ones(k)),
    "all but one worse by 2 sd": lambda k: (-2.0 * (np.arange(k) > 0), np.ones(k)),
    "equal rows, half 10 times as noisy": lambda k: (
        np.zeros(k),
        _half_noisy(k),
    ),
    "all but one worse by 2 sd, half 10 times as noisy": lambda k: (
        -2.0 * (np.arange(k) > 0),
        _half_noisy(k),
    ),
}


def intervals_missed(truth: str, size: Size, tables: int, *, overlap: float) -> float:
    """The share of tables in which any interval misses its row's difference to the best other."""
    rng = np.random.default_rng([SEED, *size])
    means, noise = TRUTHS[truth](size[0])
    others = np.where(np.eye(size[0], dtype=bool), -np.inf, means).max(axis=1)
    missed = 0
    for part in chunks(tables):
        values = means[:, None] + noise[:, None] * over_data_sets(
            (part, *size), rng, overlap=overlap
        )
        found = intervals(values, overlap=overlap)
        outside = (found.low > means - others) | (found.high < means - others)
        missed += int(outside.any(axis=1).sum())
    return missed / tables
