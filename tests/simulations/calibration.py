"""`python -m tests.simulations.calibration ARCHIVES [SEEDS]`: what calibration brings on test rows.

Twenty tables with classes: built-in ones, then the development tables. A fifth of the training rows
is set aside, a network of 32 units trains for 60 epochs, and the log loss of the test split is
printed before and after calibration, as a mean over seeds, with the methods that were chosen.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import nnrun
from tests.simulations.small_tables import _drafted, development_tables

BUILT_IN = {"iris": 3, "wine": 3, "breast_cancer": 2, "digits": 10, "mnist_5k": 10}
MOONS = ((400, 0.2), (600, 0.4), (1000, 0.3), (2000, 0.15), (3000, 0.5))
"""Rows and noise of the data set that is computed."""


class Measured(NamedTuple):
    """A table, its test log loss by seed before and after, and how many seeds chose each method."""

    name: str
    before: list[float]
    after: list[float]
    methods: Counter[str]

    @property
    def verdict(self) -> str:
        """Whether the mean of the log losses is better, worse or equal."""
        gain = fmean(self.before) - fmean(self.after)
        return "better" if gain > 0 else "worse" if gain < 0 else "equal"

    @property
    def line(self) -> str:
        """A row of the table that is printed."""
        chosen = ", ".join(f"{name} {count}" for name, count in self.methods.most_common())
        means = f"{fmean(self.before):.4f} | {fmean(self.after):.4f}"
        return f"| {self.name} | {means} | {self.verdict} | {chosen} |"


def data_sets(archives: Path, folder: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Names, numbers of classes, and `dataset` blocks."""
    for name, classes in BUILT_IN.items():
        yield name, classes, {"name": name, "features": "standard" if classes < 10 else "minmax"}
    for rows, noise in MOONS:
        block = {"name": "moons", "rows": rows, "noise": noise}
        yield f"moons of {rows} rows, noise {noise}", 2, block
    for number, table in enumerate(development_tables(archives)):
        if table.task == "classification":
            path = folder / f"{number}.csv"
            table.cells.to_csv(path, index=False)
            block = _drafted(path, table.target)["dataset"]
            classes = table.cells[table.target].nunique()
            yield table.name, classes, {**block, "path": str(path), "validation_size": 0}


def measured(name: str, classes: int, dataset: dict[str, Any], seeds: int) -> Measured:
    """What the runs of a table reach."""
    found = Measured(name, [], [], Counter())
    for seed in range(seeds):
        config = {
            "name": "calibration",
            "dataset": {**dataset, "calibration_size": 0.2},
            "network": {"sizes": [32, classes], "activations": ["relu", "softmax"]},
            "loss": "cross_entropy",
            "training": {
                "optimizer": "adam", "learning_rate": 0.01, "epochs": 60, "batch_size": 32
            },
            "seed": seed,
        }  # fmt: skip
        calibration = nnrun.train(config, results=None).record.calibration
        found.before.append(calibration["test"]["before"]["log_loss"])
        found.after.append(calibration["test"]["after"]["log_loss"])
        found.methods[calibration["method"]] += 1
    return found


def main(archives: str, seeds: str = "5") -> None:
    """Print a row for each table, then how many are better, worse and equal."""
    verdicts = Counter[str]()
    with TemporaryDirectory() as folder:
        for name, classes, dataset in data_sets(Path(archives), Path(folder)):
            found = measured(name, classes, dataset, int(seeds))
            verdicts[found.verdict] += 1
            print(found.line, flush=True)
    print(dict(verdicts))


if __name__ == "__main__":
    main(*sys.argv[1:])
