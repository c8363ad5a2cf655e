"""`python -m tests.simulations.beside -o results/BESIDE.md`: scikit-learn beside a network.

Ten data sets, one network of 32 units for all, five seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.datasets import make_friedman1

import nnrun
from nnrun.reports.numbers import difference, measured
from tests.simulations.best_of_table import table
from tests.simulations.ten_data_sets import DATA, config

SEEDS, UNITS = 5, 32
MODELS = ("linear", "neighbors", "forest", "boosting", "mlp")
TRAINING = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 50, "batch_size": 32}


def rows(folder: Path) -> Iterator[tuple[list[str], list[str]]]:
    """For each data set the row of differences, and the row of seconds."""
    x, y = make_friedman1(n_samples=300, noise=1.0, random_state=0)
    np.savez(folder / "friedman1.npz", x=x, y=y)
    for number, name in enumerate(DATA):
        content = config(name, folder, {"test_size": 0.2}, TRAINING)
        content["network"]["layers"][0]["units"] = UNITS
        own = folder / str(number)
        board = nnrun.sweep(content, seeds=SEEDS, beside=MODELS, results=own, jobs=1)
        (group,) = board.groups
        network = next(row for row in group.rows if "beside" not in row.choice)
        found = {one.model: one for one in group.beside}
        cells = [
            difference(one.difference, one.low, one.high)
            for one in (found[model] for model in MODELS)
        ]
        mean = measured(network.mean, network.summary(group.ordered_by).half)
        seconds: dict[str, list[float]] = {}
        for run in board.runs():
            trained: dict[str, Any] = run.record.timing
            seconds.setdefault(run.record.beside or "", []).append(trained["train_seconds"])
        times = [f"{median(seconds[model]):.2g}" for model in ("", *MODELS)]
        yield [name, group.metric, mean, *cells], [name, *times]


def report() -> Iterator[str]:
    """The page."""
    yield "# Models of scikit-learn beside a network"
    yield (
        f"One network for all ({UNITS} tanh units, Adam, 50 epochs), and scikit-learn's models by "
        f"their defaults, on the same {SEEDS} splits. A difference is the model's mean less the "
        "network's, positive where the model is better, with its 95% interval, which holds for all "
        "models of a row at once."
    )
    yield "```sh\npython -m tests.simulations.beside -o results/BESIDE.md\n```"
    with TemporaryDirectory() as folder:
        found = list(rows(Path(folder)))
    yield table("data", ["metric", "network", *MODELS], [first for first, _ in found])
    yield "Seconds of training, medians of the seeds:"
    yield table("data", ["network", *MODELS], [second for _, second in found])


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    output = parser.parse_args().output
    output.write_text("\n\n".join(report()) + "\n")


if __name__ == "__main__":
    main()
