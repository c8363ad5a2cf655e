"""Hansen's model confidence set on the same tables, by the package `arch` where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from tests.simulations.comparisons.designs import SEED, Table
from tests.simulations.comparisons.rules import LEVEL, ours

SIZES = ((2, 10), (8, 10), (8, 20), (20, 20))
_DRAWS = 500


def confidence_set(x: np.ndarray) -> np.ndarray:
    """Which rows of a table (rows, seeds) are not in the set of 95%; larger is better."""
    arch: Any = import_module("arch.bootstrap")
    found = arch.MCS(-x.T, LEVEL, reps=_DRAWS, block_size=1, method="max", seed=SEED)
    found.compute()
    return np.array([row not in found.included for row in range(len(x))])


def shares(size: tuple[int, int], tables: int) -> dict[str, tuple[float, float]]:
    """Of equal rows that are dropped, and of the half that is worse by one standard deviation."""
    rng = np.random.default_rng([SEED, *size])
    x = rng.normal(size=(tables, *size))
    good = (size[0] + 1) // 2
    worse = x.copy()
    worse[:, good:] -= 1
    rules = {
        "the leaderboard's": ours,
        "model confidence set": lambda x: np.stack([confidence_set(table) for table in x]),
    }
    return {
        name: (float(rule(x).mean()), float(rule(worse)[:, good:].mean()))
        for name, rule in rules.items()
    }


def report(tables: int, table: Table) -> Iterator[str]:
    """The part of the page on it."""
    yield "## A second opinion"
    if find_spec("arch") is None:
        yield "Hansen's model confidence set is compared where the package `arch` is installed."
        return
    yield (
        f"Hansen's model confidence set (Econometrica 79, 2011) by the package `arch`, {_DRAWS} "
        f"resamplings of the seeds and the largest t, on {tables:,} tables of normal rows and one "
        "split, beside the leaderboard's rule. It keeps all rows that are equally good at once in "
        "95% of tables, and not each of them, and so drops fewer."
    )
    found = {size: shares(size, tables) for size in SIZES}
    lines = [
        [f"{name}: {words}", *(f"{100 * found[size][name][place]:.1f}" for size in SIZES)]
        for name in found[SIZES[0]]
        for place, words in enumerate(("best dropped", "dropped at 1 sd"))
    ]
    yield table("rows × seeds", [f"{k}×{n}" for k, n in SIZES], lines)
