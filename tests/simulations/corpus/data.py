"""Made data for the corpus of runs: each a function of a fixed seed, none chosen by its results."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Made = tuple[np.ndarray, np.ndarray]

SEED = 24


def _labels(rows: int, share: float, strength: float, stream: int) -> Made:
    """Two classes by a logistic model of six columns: a share of the second one, roughly."""
    rng = np.random.default_rng([SEED, stream])
    x = rng.normal(size=(rows, 6))
    weights = np.array([3.0, -2.0, 1.0, 1.0, 0.0, 0.0])
    score = strength * (x @ weights) / np.linalg.norm(weights) + rng.logistic(size=rows)
    return x, (score > np.quantile(score, 1 - share)).astype(np.int64)


def _classes(rows: int, distance: float, stream: int, counts: tuple[float, ...]) -> Made:
    """Normal clouds around points at random directions, `distance` from the middle."""
    rng = np.random.default_rng([SEED, stream])
    y = rng.choice(len(counts), size=rows, p=counts)
    directions = rng.normal(size=(len(counts), 8))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return rng.normal(size=(rows, 8)) + distance * directions[y], y


def _values(rows: int, noise: float, stream: int) -> Made:
    """A curved function of five columns, with standard deviation of about 1, and noise."""
    rng = np.random.default_rng([SEED, stream])
    x = rng.normal(size=(rows, 5))
    y = 0.7 * x[:, 0] + np.sin(2 * x[:, 1]) - 0.3 * x[:, 2] * x[:, 3]
    return x, y + noise * rng.normal(size=rows)


def _shuffled(made: Made, stream: int) -> Made:
    return made[0], np.random.default_rng([SEED, stream]).permutation(made[1])


def _outliers() -> Made:
    x, y = _values(600, 0.3, 7)
    rng = np.random.default_rng([SEED, 8])
    y[rng.choice(600, size=6, replace=False)] *= 1000.0
    return x, y


def _leak() -> Made:
    x, y = _labels(500, 0.4, 1.0, 9)
    return np.column_stack([x, 3.0 * y + 1.0]), y


def _leaking_values() -> Made:
    x, y = _values(500, 0.3, 17)
    return np.column_stack([x, 2.0 * y + 3.0]), y


def _skewed_columns() -> Made:
    x, y = _values(500, 0.3, 10)
    return np.column_stack([np.exp(x[:, :2]), x[:, 2:], np.full(len(x), 4.0)]), y


MADE: dict[str, Callable[[], Made]] = {
    "fraud": lambda: _labels(4000, 0.013, 1.4, 1),
    "rare": lambda: _labels(1500, 0.05, 1.2, 2),
    "weak": lambda: _labels(3000, 0.3, 0.5, 3),
    "coins": lambda: _shuffled(_labels(800, 0.5, 1.0, 4), 4),
    "coins, few": lambda: _shuffled(_labels(150, 0.5, 1.0, 5), 5),
    "few": lambda: _labels(120, 0.5, 1.5, 6),
    "outliers": _outliers,
    "leak": _leak,
    "curve": lambda: _values(800, 0.3, 11),
    "noisy curve": lambda: _values(1500, 1.5, 12),
    "noisy classes": lambda: _labels(1500, 0.5, 1.0, 13),
    "three classes": lambda: _classes(900, 3.0, 14, (0.4, 0.35, 0.25)),
    "three classes, shuffled": lambda: _shuffled(_classes(900, 3.0, 18, (0.4, 0.35, 0.25)), 18),
    "leaking values": _leaking_values,
    "rare but clear": lambda: _classes(1500, 4.0, 15, (0.9, 0.1)),
    "rare, weighted": lambda: _labels(2000, 0.08, 2.0, 16),
    "skewed columns": _skewed_columns,
}
