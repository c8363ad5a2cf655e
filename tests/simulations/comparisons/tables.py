"""Tables of results whose rows are equally good by construction, of many kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Rng = np.random.Generator
ROWS, SEEDS = (2, 8, 20, 60), (3, 5, 10, 20)
TESTED, TRAINED = 30, 120


@dataclass(frozen=True)
class Kind:
    """A kind of table.

    Args:
        title: for people.
        draw: (rows, seeds, rng) -> values (rows, seeds), larger is better.
        resolution: the step between two values.
        classes: rows that are alike, by name.
    """

    title: str
    draw: Callable[[int, int, Rng], np.ndarray]
    resolution: float = 0.0
    classes: tuple[tuple[str, slice], ...] = (("", slice(None)),)


def _on_common_splits(draw: Callable[[int, int, Rng], np.ndarray]):
    """Splits that are easy or hard for all rows: three times the spread of a row by itself."""
    return lambda k, n, rng: 3 * rng.normal(size=n) + draw(k, n, rng)


def _common_test_rows(k: int, n: int, rng: Rng) -> np.ndarray:
    """Test rows that are easy or hard for all: the chance to get one right is Beta(2, 0.2)."""
    chance = rng.beta(2, 0.2, size=(n, TESTED))
    return (rng.random((k, n, TESTED)) < chance).mean(axis=2)


def _noisy(shares: Callable[[int], np.ndarray]):
    return lambda k, n, rng: shares(k)[:, None] * rng.normal(size=(k, n))


def _clusters(k: int, n: int, rng: Rng) -> np.ndarray:
    """Two groups of rows that hardly differ within."""
    return rng.normal(size=(2, n))[np.arange(k) % 2] + 0.1 * rng.normal(size=(k, n))


def _normal(k: int, n: int, rng: Rng) -> np.ndarray:
    return rng.normal(size=(k, n))


# Rows that are alike in everything: any of them may be called the best.
EQUAL = {
    "normal": Kind("normal", _normal),
    "t3": Kind("Student's t, 3 degrees", lambda k, n, rng: rng.standard_t(3, size=(k, n))),
    "cauchy": Kind("Cauchy", lambda k, n, rng: rng.standard_cauchy(size=(k, n))),
    "mse": Kind("error, log-normal", lambda k, n, rng: -np.exp(rng.normal(size=(k, n)))),
    "accuracy": Kind(
        "accuracy 0.90 on 30 rows",
        lambda k, n, rng: rng.binomial(TESTED, 0.9, size=(k, n)) / TESTED,
        1 / TESTED,
    ),
    "high": Kind(
        "accuracy 0.97 on 30 rows",
        lambda k, n, rng: rng.binomial(TESTED, 0.97, size=(k, n)) / TESTED,
        1 / TESTED,
    ),
    "common": Kind("accuracy 0.91 on 30 common rows", _common_test_rows, 1 / TESTED),
}
# Equal in the mean only.
UNEQUAL = {
    "wild": Kind(
        "one row 30 times as noisy",
        _noisy(lambda k: np.r_[30, np.ones(k - 1)]),
        classes=((": that row", slice(0, 1)), (": another", slice(1, None))),
    ),
    "half": Kind(
        "half of the rows 10 times as noisy",
        _noisy(lambda k: np.where(np.arange(k) % 2, 1, 10)),
        classes=((": one of them", slice(0, None, 2)), (": another", slice(1, None, 2))),
    ),
    "clusters": Kind("two clusters of rows", _clusters),
}
COMMON_SPLITS = {
    name: replace(kind, draw=_on_common_splits(kind.draw)) if kind.resolution == 0 else kind
    for name, kind in (EQUAL | UNEQUAL).items()
}


def over_data_sets(
    shape: tuple[int, int, int], rng: Rng, *, heavy: bool = False, overlap: float = TESTED / TRAINED
) -> np.ndarray:
    """Results of seeds that draw splits of one data set, and of many data sets.

    What a row gains or loses on this data set is the same for all of its seeds, and varies by
    n_test/n_train of what a seed adds: the model behind the variance s²·(1/n + n_test/n_train).

    Args:
        shape: (tables, rows, seeds).
        rng: the source of randomness.
        heavy: the part that all seeds share has Student's t distribution with 3 degrees.
        overlap: n_test/n_train.
    """
    each = shape[:2]
    shared = rng.standard_t(3, size=each) / 3**0.5 if heavy else rng.normal(size=each)
    return overlap**0.5 * shared[:, :, None] + rng.normal(size=shape)


def learned(k: int, n: int, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Rows that learn, each by a feature of its own, from splits of one data set that overlap.

    All features are equally good in the population that the 150 rows of the data set are drawn
    from, and by chance not in these rows: 1/n of the spread over splits knows nothing of that.

    Returns:
        Accuracy of nearest means and R² of least squares on 30 test rows, each (rows, seeds).
    """
    total = TRAINED + TESTED
    y = rng.permutation(np.arange(total) % 2)
    x = (2 * y[:, None] - 1) + rng.normal(size=(total, k))
    target = x.sum(axis=1) / k**0.5 + rng.normal(size=total)
    accuracy, r2 = np.empty((k, n)), np.empty((k, n))
    for seed in range(n):
        order = rng.permutation(total)
        train, test = order[TESTED:], order[:TESTED]
        means = [x[train][y[train] == label].mean(axis=0) for label in (0, 1)]
        nearer = np.abs(x[test] - means[1]) < np.abs(x[test] - means[0])
        accuracy[:, seed] = (nearer == y[test][:, None]).mean(axis=0)
        centre, level = x[train].mean(axis=0), target[train].mean()
        dx, dy = x[train] - centre, target[train] - level
        slope = (dx * dy[:, None]).sum(axis=0) / (dx**2).sum(axis=0)
        error = target[test][:, None] - level - slope * (x[test] - centre)
        r2[:, seed] = 1 - (error**2).mean(axis=0) / target.var()
    return accuracy, r2
