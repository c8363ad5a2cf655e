"""How often the comparison of means with the notebook's reports a difference where there is none.

    python -m tests.notebook.false_alarms

says

    normal, independent: 1.19% of 20,000 tables
    normal, correlated: 0.97% of 20,000 tables
    heavy tail of boston_arch1, independent: 3.36% of 20,000 tables
    heavy tail of boston_arch1, correlated: 3.04% of 20,000 tables

Draws tables of 16 rows as `configs/reference.csv` has them: for each the reference's runs and
twenty of ours, from one distribution, and counts the tables in which any row is marked. Normal
distributions, with rows independent or, as training and test error of one run and as rows that
share their splits are, correlated; and lognormal ones with the reference's mean and standard
deviation above half the mean, for the heavy tail of a large learning rate.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import stdtr

from nnrun.sweeps.board.published import LEVEL, Reference, read_references

CSV = Path(__file__).parents[2] / "configs" / "reference.csv"
SEEDS = 20


def draw(reference: Reference, shape, common, heavy: bool, rng):
    """(tables, n) values of one row; `common`, of that shape, is shared between rows, or None."""
    z = rng.standard_normal(shape)
    if common is not None:
        z = np.sqrt(0.5) * (z + common)
    if not heavy:
        return reference.mean + reference.sd * z
    floor = reference.mean / 2
    sigma = np.sqrt(np.log1p((reference.sd / (reference.mean - floor)) ** 2))
    return floor + np.exp(sigma * z - sigma**2 / 2) * (reference.mean - floor)


def p_values(a, b):
    """Welch's test for each table."""
    va, vb = (x.var(axis=1, ddof=1) / x.shape[1] for x in (a, b))
    degrees = (va + vb) ** 2 / (va**2 / (a.shape[1] - 1) + vb**2 / (b.shape[1] - 1))
    return 2 * stdtr(degrees, -np.abs(a.mean(axis=1) - b.mean(axis=1)) / np.sqrt(va + vb))


def false_alarms(tables: int, *, correlated: bool, heavy: tuple[str, ...], seed: int) -> float:
    """The share of tables with any mark.

    Args: heavy: experiments whose numbers are lognormal.
    """
    rng = np.random.default_rng(seed)
    references = read_references(CSV)
    common = rng.standard_normal((tables, SEEDS)) if correlated else None
    smallest = np.ones(tables)
    for (experiment, _), reference in references.items():
        is_heavy = experiment in heavy
        ours = draw(reference, (tables, SEEDS), common, is_heavy, rng)
        theirs = draw(reference, (tables, reference.n), None, is_heavy, rng)
        smallest = np.minimum(smallest, p_values(ours, theirs))
    # Holm marks any row at all where the smallest p-value is below the level over their number.
    return float(np.mean(smallest < LEVEL / len(references)))


def main() -> None:
    """The table of rates."""
    tables = 20_000
    for name, correlated, heavy in (
        ("normal, independent", False, ()),
        ("normal, correlated", True, ()),
        ("heavy tail of boston_arch1, independent", False, ("boston_arch1",)),
        ("heavy tail of boston_arch1, correlated", True, ("boston_arch1",)),
    ):
        rate = false_alarms(tables, correlated=correlated, heavy=heavy, seed=0)
        print(f"{name}: {100 * rate:.2f}% of {tables:,} tables")


if __name__ == "__main__":
    main()
