"""`fit` of nnrun's estimator beside that of scikit-learn's own network."""

from __future__ import annotations

import time
import warnings
from statistics import median
from typing import Any

from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from nnrun.sklearn import NetworkClassifier
from tests.benchmarks.tables.grid import grid

ID = "estimators"
UNITS, RATE = 100, 0.001
# Solver, rows in a batch, epochs.
SETTINGS = [("sgd", 1, 3), ("adam", 1, 3), ("sgd", 64, 20), ("adam", 64, 20)]


def measure(solver: str, batch_size: int, epochs: int, rounds: int) -> tuple[float, float]:
    """Seconds of both on digits, medians of rounds in turn; the first may compile, and is extra."""
    x, y = load_digits(return_X_y=True)
    optimizer = {"type": "sgd", "momentum": 0.9} if solver == "sgd" else "adam"
    ours: Any = NetworkClassifier(
        (UNITS,), "relu", optimizer=optimizer, learning_rate=RATE, epochs=epochs,
        batch_size=batch_size, random_state=0, n_iter_no_change=epochs,
    )  # fmt: skip
    theirs: Any = MLPClassifier(
        (UNITS,), solver=solver, alpha=0, learning_rate_init=RATE, max_iter=epochs,
        batch_size=batch_size, random_state=0, n_iter_no_change=epochs, nesterovs_momentum=False,
    )  # fmt: skip
    taken: dict[Any, list[float]] = {ours: [], theirs: []}
    for _ in range(rounds + 1):
        for estimator, seconds in taken.items():
            start = time.perf_counter()
            with warnings.catch_warnings(action="ignore"):
                estimator.fit(x / 16, y)
            seconds.append(time.perf_counter() - start)
    return median(taken[ours][1:]), median(taken[theirs][1:])


def table(rounds: int) -> str:
    """A Markdown table of all settings."""
    rows = []
    for solver, size, epochs in SETTINGS:
        ours, theirs = measure(solver, size, epochs, rounds)
        what = f"{solver}, batches of {size}, {epochs} epochs"
        rows.append([what, f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.2f}×"])
    header = ["", "NetworkClassifier, s", "MLPClassifier, s", "times as fast"]
    title = f"`fit` on digits (64 → {UNITS} relu → 10), the curve of losses included"
    return "\n".join([title, "", *grid(header, rows)])
