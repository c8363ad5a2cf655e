"""How often `nnrun init --try` takes a reading of columns that is no better, or keeps a worse one.

Made-up tables have a key whose means tell a part of the target. The draft leaves it out; the other
reading takes its means. By theory their errors are equal where the key's effects vary as much as
the noise of its means, and the other reading is better by a share of the RMSE where they vary more.

    python -m tests.simulations.trying [TABLES] [VISITS]

Networks see 40,000 rows by default, a fifth of what `--try` has; no count depends on the clock.
"""

from __future__ import annotations

import os
import sys
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from nnrun.config.scaffold.findings import Findings
from nnrun.config.scaffold.from_data import draft
from nnrun.sweeps import tried as trying

ROWS, KEYS = 1_100, 110
# Of all rows, 80% are in folds, of which four of five train.
OF_KEY = ROWS / KEYS * 0.8 * 0.8
GAINS = (0.05, 0.10, 0.20)


def table(effect: float, seed: int, few: bool = False) -> pd.DataFrame:
    """A target of a number, the effects of a key with this standard deviation, and noise of 1.

    With `few`, the key is a whole number from 1 to 6 in place of one of many.
    """
    rng = np.random.default_rng(seed)
    keys = np.arange(1, 7) if few else rng.choice(np.arange(1_000, 9_999), KEYS, replace=False)
    place = rng.integers(len(keys), size=ROWS)
    x = rng.normal(size=ROWS)
    y = x + effect * rng.normal(size=len(keys))[place] + rng.normal(size=ROWS)
    name = "rooms" if few else "flight"
    return pd.DataFrame({name: keys[place], "x": x.round(3), "y": y.round(3)})


def effect_of(gain: float) -> float:
    """The effects with which means of a key lower the RMSE by this share."""
    return sqrt((1 + 1 / OF_KEY) / (1 - gain) ** 2 - 1)


def outcome(frame: pd.DataFrame) -> tuple[bool, float]:
    """Whether the other reading is taken, and its gain on folds."""
    frame.to_csv("t.csv", index=False)
    made = draft(Path("t.csv"), "y", Path.cwd())
    assert made.table is not None
    problems = [p for p in Findings(*made.table, "t.yaml").problems if p.readings]
    [found] = trying.try_readings(made, problems, clock=lambda: 0.0)
    return found.outcome == "taken", 1 - (found.reading or 0.0) / (found.draft or 1.0)


def main(tables: int = 60, visits: int = 40_000) -> None:
    """Print a row for each kind of table."""
    trying._VISITS = visits
    kinds = {
        "equal: whole numbers as categories": (0.0, True),
        "no effect: a key's means": (0.0, False),
        "equal: a key's means": (effect_of(0.0), False),
        **{f"{gain:.0%} better: a key's means": (effect_of(gain), False) for gain in GAINS},
    }
    for name, (effect, few) in kinds.items():
        found = [outcome(table(effect, seed, few)) for seed in range(tables)]
        taken = sum(each for each, _ in found)
        low, high = binomtest(taken, tables).proportion_ci(method="wilson")
        gain = float(np.mean([gain for _, gain in found]))
        share = f"taken {taken:3} of {tables} ({low:.0%} to {high:.0%})"
        print(f"{name:36} {share}, on folds {gain:+.1%}", flush=True)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        main(*map(int, sys.argv[1:]))
