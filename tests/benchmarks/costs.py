"""What a run of a sweep costs beyond its training, and `fit` beside scikit-learn's own network."""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from nnrun.config.load import load_config
from nnrun.reports.run import report_markdown
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare, prepare_again
from nnrun.runs.storage.store import Store
from nnrun.sklearn import NetworkClassifier
from tests.benchmarks.processes import CONFIGS, NOTEBOOK
from tests.benchmarks.tables import grid

OVERHEAD = "overhead"


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one run, medians."""

    updates: float
    evaluations: float
    rest: float


def overhead(name: str, rounds: int) -> Cost:
    """Runs of one config with new seeds, its data loaded; the first may compile, and is extra."""
    first = prepare(load_config(CONFIGS / f"{name}.yaml"))
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), report_markdown)
        for seed in range(rounds + 1):
            start = time.perf_counter()
            config = first.config.model_copy(update={"seed": seed})
            timing = train(prepare_again(config, first.dataset), store).record.timing
            seconds = time.perf_counter() - start
            updates, evaluations = timing["train_seconds"], timing["evaluation_seconds"]
            taken.append((updates, evaluations, seconds - updates - evaluations))
    return Cost(*(1000 * median(part) for part in zip(*taken[1:], strict=True)))


def table_of_overhead(rounds: int) -> str:
    """A Markdown table of the notebook's eight experiments, the mean over all at its end."""
    costs = {name: overhead(name, 4 * rounds) for name in NOTEBOOK}
    costs["mean"] = Cost(*map(mean, zip(*map(astuple, costs.values()), strict=True)))
    header = ["", "updates", "evaluations along the way", "all else", "beyond updates"]
    rows = []
    for name, cost in costs.items():
        parts = (*astuple(cost), cost.evaluations + cost.rest)
        rows.append([name, *(f"{part:.1f}" for part in parts)])
    return "\n".join(
        [
            "Milliseconds a run of the notebook's experiments takes in one process",
            "",
            *grid(header, rows),
        ]
    )


# `fit` of nnrun's estimator beside that of scikit-learn's own network.

ESTIMATORS = "estimators"
UNITS, RATE = 100, 0.001
# Solver, rows in a batch, epochs.
SETTINGS = [("sgd", 1, 3), ("adam", 1, 3), ("sgd", 64, 20), ("adam", 64, 20)]


def fits(solver: str, batch_size: int, epochs: int, rounds: int) -> tuple[float, float]:
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


def table_of_estimators(rounds: int) -> str:
    """A Markdown table of all settings."""
    rows = []
    for solver, size, epochs in SETTINGS:
        ours, theirs = fits(solver, size, epochs, rounds)
        what = f"{solver}, batches of {size}, {epochs} epochs"
        rows.append([what, f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.2f}×"])
    header = ["", "NetworkClassifier, s", "MLPClassifier, s", "times as fast"]
    title = f"`fit` on digits (64 → {UNITS} relu → 10), the curve of losses included"
    return "\n".join([title, "", *grid(header, rows)])
