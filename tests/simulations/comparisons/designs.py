"""Designs and truths of simulated comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from nnrun.sweeps.board.variance import Design, estimate
from tests.simulations.comparisons.rules import LEVEL, intervals
from tests.simulations.comparisons.tables import over_data_sets

# Tables whose rows have known means and noise, and how often intervals miss them.

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


# Crossed designs and folds: how often the best row is dropped, and worse ones.

ROWS = (2, 8, 24)
CROSSED = ((5, 4), (10, 2), (10, 5), (2, 10), (20, 1))
PARTS = {
    "70% from the split, 20% from the weights, 10% from both": (0.7, 0.2, 0.1),
    "20% from the split, 70% from the weights, 10% from both": (0.2, 0.7, 0.1),
    "10% from the split, 20% from the weights, 70% from both": (0.1, 0.2, 0.7),
}
OVERLAP = 0.25
_TABLES_AT_A_TIME = 100
Table = Callable[[str, Sequence[str], list[list[str]]], str]


def crossed_design(splits: int, weights: int) -> Design:
    """Each split with the same seeds of weights."""
    return Design.of(list(product(range(splits), range(weights))))


def crossed(
    tables: int, rows: int, size: tuple[int, int], parts: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """(tables, rows, splits · weights); each row's results vary by these parts of a variance of 1.

    What a row gains on this data set is the same for all splits, and varies by n_test/n_train of
    what a split adds.
    """
    splits, weights = size
    split, weight, both = np.sqrt(parts)
    shape = (tables, rows)
    return (
        OVERLAP**0.5 * split * rng.normal(size=(*shape, 1, 1))
        + split * rng.normal(size=(*shape, splits, 1))
        + weight * rng.normal(size=(*shape, 1, weights))
        + both * rng.normal(size=(*shape, splits, weights))
    ).reshape(*shape, splits * weights)


def dropped(x: np.ndarray, design: Design, overlap: float, resolution: float = 0.0) -> np.ndarray:
    """The leaderboard's rule for tables (tables, rows, replicates): which rows are dropped."""
    rows, found = x.shape[1], []
    for part in np.array_split(x, max(1, len(x) * rows // _TABLES_AT_A_TIME)):
        pairs = part[:, :, None] - part[:, None, :]
        one = estimate(pairs, design, np.full(pairs.shape[:-1], overlap), resolution**2 / 6)
        upper = one.mean + one.degrees.quantile(LEVEL / (rows - 1)) * one.error
        found.append(np.where(np.eye(rows, dtype=bool), np.inf, upper).min(axis=2) < 0)
    return np.concatenate(found)


def both_dropped(x: np.ndarray, gap: float, *rule: object) -> tuple[float, float]:
    """The share of equal rows that is dropped, and of the half that is worse by a gap."""
    rows = x.shape[1]
    worse = x.copy()
    worse[:, (rows + 1) // 2 :] -= gap
    return (
        float(dropped(x, *rule).mean()),  # type: ignore[arg-type]
        float(dropped(worse, *rule)[:, (rows + 1) // 2 :].mean()),  # type: ignore[arg-type]
    )


def crossed_dropped(
    rows: int, size: tuple[int, int], parts: Sequence[float], tables: int
) -> tuple[float, float]:
    """Of equal rows, and of rows worse by two standard deviations of a row's results."""
    rng = np.random.default_rng([SEED, rows, *size])
    x = crossed(tables, rows, size, parts, rng)
    deviation = (1 + OVERLAP * parts[0]) ** 0.5
    return both_dropped(x, 2 * deviation, crossed_design(*size), OVERLAP)


def learned_dropped(
    division: Division, rows: int, tables: int
) -> dict[tuple[str, float], tuple[float, float]]:
    """Of rows that learn, equally good or not: what is dropped, by metric and gap."""
    found: dict[tuple[str, float], tuple[float, float]] = {}
    for gap in (0.2, 0.4):
        rng = np.random.default_rng([SEED, rows, division.seeds, division.folds or 0])
        both = [results(division, rows, gap, rng) for _ in range(tables)]
        for place, (metric, step) in enumerate((("accuracy", 1 / division.tested), ("R²", 0.0))):
            x = np.stack([pair[place] for pair in both])
            lost = dropped(x, division.design, division.overlap, step)
            good = (rows + 1) // 2
            found[metric, gap] = float(lost[:, :good].mean()), float(lost[:, good:].mean())
    return found


def report(tables: int, table: Table) -> Iterator[str]:
    """The part of the page on designs, block by block."""
    yield from _crossed(tables, table)
    yield from _folds(tables // 4, table)


def _crossed(tables: int, table: Table) -> Iterator[str]:
    yield "## Seeds of splits crossed with seeds of weights"
    yield (
        "Rows of J splits × K seeds of weights; the results of a row have a variance of 1 over "
        "splits and weights, in three shares; 20% of the data is tested. The share of equal rows "
        "that is dropped, and of rows that are worse by two standard deviations. Few splits or "
        "few seeds say little of their variance, and the rule allows for that: with two of either, "
        "next to nothing is dropped. A single seed of weights shows nothing of what another would "
        "do, and the leaderboard says so. To choose, as many seeds that vary everything at once "
        "are better (the table above); crossed seeds say where the spread comes from."
    )
    header = [f"{rows}×({j}×{k})" for rows in ROWS for j, k in CROSSED]
    lines = []
    for words, parts in PARTS.items():
        cells = [crossed_dropped(rows, size, parts, tables) for rows in ROWS for size in CROSSED]
        lines.append([f"{words}: best dropped", *(_percent(cell[0]) for cell in cells)])
        lines.append([f"{words}: dropped at 2 sd", *(_percent(cell[1]) for cell in cells)])
    yield table("rows × (splits × weights)", header, lines)


def _folds(tables: int, table: Table) -> Iterator[str]:
    yield "## Folds against drawn splits"
    yield (
        f"Rows that learn, {tables:,} tables: a data set of 150 rows is drawn, each row of the "
        "table learns by a feature of its own, and half of them by one that says less (by 20% or "
        "40% of the distance of the classes). Each fold of k is tested with n_test/n_train = "
        "1/(k - 1); of a drawn split 20% is tested. With as many runs, folds find fewer of the "
        "worse rows: the correction allows for more overlap than folds have, whose tests share no "
        "row. 10 × 10 folds find about as many as 100 drawn splits."
    )
    header = [f"{rows} rows, {kind}" for rows in ROWS for kind in ("equal", "worse")]
    lines = []
    for words, division in DIVISIONS.items():
        cells = {rows: learned_dropped(division, rows, tables) for rows in ROWS}
        for metric, gap in cells[ROWS[0]]:
            pairs = [cells[rows][metric, gap] for rows in ROWS]
            shares = [_percent(share) for pair in pairs for share in pair]
            lines.append([f"{metric}, worse by {gap:.0%}: {words}", *shares])
    yield table("dropped", header, lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


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
