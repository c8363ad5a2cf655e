"""`python -m tests.simulations.power`: how often a board drops a row at the difference forecast.

Prints Markdown: by the variance of a pilot, sweeps are drawn in which one row is worse than the
best by the difference that `nnrun sweep --dry-run --power` gives, and the board's own code decides.
"""

from __future__ import annotations

import argparse

import numpy as np

from nnrun.sweeps.board.means import Table, standings
from nnrun.sweeps.board.power import SEEDS, chi_square_ends, smallest_on_these_data
from nnrun.sweeps.board.published import Size
from nnrun.sweeps.board.variance import Components, Design, numbers

SEED = 42
# Rows of a table, and rows tested per row trained on.
CELLS = [(rows, overlap) for rows in (2, 10) for overlap in (0.0, 0.25, 0.5)]
_FAR = 100.0  # what other rows are worse by, so that they drop none


def forecast(variance: float, seeds: int, rows: int, overlap: float) -> float:
    """The difference forecast for a variance of one run's difference of two rows."""
    components = Components(*numbers(variance, 0.0, 0.0))
    return smallest_on_these_data(components, Size(seeds), rows, overlap)


def dropped(
    gap: float, seeds: int, rows: int, overlap: float, sweeps: int, rng: np.random.Generator
) -> float:
    """The share of sweeps that drop the second row, whose runs differ from the first by `gap` and a
    standard deviation of 1; what makes a seed hard for all rows is three times as large.
    """
    design = Design.of([(seed, seed) for seed in range(seeds)])
    worse = np.array([0.0, gap, *[_FAR] * (rows - 2)])
    count = 0
    for _ in range(sweeps):
        own = rng.normal(size=(rows, seeds)) / np.sqrt(2)
        values = own - worse[:, None] + 3 * rng.normal(size=seeds)
        found = standings(
            Table(
                values, design, np.zeros(rows, np.intp), np.full(rows, overlap), np.zeros(rows),
                np.ones(rows, dtype=bool),
            )
        )  # fmt: skip
        count += not found.kept[1]
    return count / sweeps


def covered(pilot: int, pilots: int, rng: np.random.Generator) -> float:
    """The share of pilots whose interval holds the forecast by the true variance.

    Forecasts are in proportion to the standard deviation, which is 1.
    """
    low, high = chi_square_ends(pilot - 1.0)
    spreads = rng.normal(size=(pilots, pilot)).std(axis=1, ddof=1)
    return float(((spreads * low <= 1) & (spreads * high >= 1)).mean())


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=4000)
    sweeps = parser.parse_args().sweeps
    error = 196 * (0.8 * 0.2 / sweeps) ** 0.5
    print(f"Sweeps in which the worse row is dropped, in percent of {sweeps:,} (± {error:.1f})\n")
    print("| rows | overlap |" + "".join(f" {seeds} seeds |" for seeds in SEEDS))
    print("| ---: " * (2 + len(SEEDS)) + "|")
    for rows, overlap in CELLS:
        rng = np.random.default_rng([SEED, rows, round(100 * overlap)])
        shares = [
            dropped(forecast(1.0, n, rows, overlap), n, rows, overlap, sweeps, rng) for n in SEEDS
        ]
        print(f"| {rows} | {overlap:g} |" + "".join(f" {100 * share:.1f} |" for share in shares))
    print("\nPilots whose interval holds the forecast by the true variance, in percent\n")
    for pilot in (3, 5, 10):
        share = covered(pilot, sweeps, np.random.default_rng([SEED, pilot]))
        print(f"- {pilot} seeds: {100 * share:.1f}")


if __name__ == "__main__":
    main()
