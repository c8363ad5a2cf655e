"""Rows that learn from splits of one small data set, drawn or in folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnrun.sweeps.board.variance import Design

TOTAL = 150


@dataclass(frozen=True)
class Division:
    """How the rows of a data set are divided.

    Args:
        seeds: how often.
        folds: into this many test splits each time; None for one of 20%.
    """

    seeds: int
    folds: int | None = None

    @property
    def tested(self) -> int:
        """Rows of a test split."""
        return TOTAL // (self.folds or 5)

    @property
    def overlap(self) -> float:
        """Rows tested per row trained on."""
        return self.tested / (TOTAL - self.tested)

    @property
    def design(self) -> Design:
        """Of the runs, which share nothing."""
        return Design.of([(each, each) for each in range(self.seeds * (self.folds or 1))])

    def parts(self, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows to train and to test on, of each run."""
        for _ in range(self.seeds):
            order = rng.permutation(TOTAL)
            for fold in range(self.folds or 1):
                test = order[fold * self.tested : (fold + 1) * self.tested]
                yield np.setdiff1d(order, test), test


DIVISIONS = {
    "10 drawn splits": Division(10),
    "10 folds": Division(1, 10),
    "2 × 5 folds": Division(2, 5),
    "100 drawn splits": Division(100),
    "10 × 10 folds": Division(10, 10),
}


def results(
    division: Division, rows: int, gap: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of nearest means and R² of least squares on each test split, each (rows, runs).

    The second half of the rows has features whose classes are nearer by this part.
    """
    y = rng.permutation(np.arange(TOTAL) % 2)
    strength = np.where(np.arange(rows) < (rows + 1) // 2, 1.0, 1.0 - gap)
    x = (2 * y[:, None] - 1) * strength + rng.normal(size=(TOTAL, rows))
    target = 2.0 * y - 1 + rng.normal(size=TOTAL)
    accuracy, r2 = [], []
    for train, test in division.parts(rng):
        means = [x[train][y[train] == label].mean(axis=0) for label in (0, 1)]
        nearer = np.abs(x[test] - means[1]) < np.abs(x[test] - means[0])
        accuracy.append((nearer == y[test][:, None]).mean(axis=0))
        centre, level = x[train].mean(axis=0), target[train].mean()
        dx, dy = x[train] - centre, target[train] - level
        slope = (dx * dy[:, None]).sum(axis=0) / (dx**2).sum(axis=0)
        error = target[test][:, None] - level - slope * (x[test] - centre)
        r2.append(1 - (error**2).mean(axis=0) / target.var())
    return np.stack(accuracy, axis=1), np.stack(r2, axis=1)
