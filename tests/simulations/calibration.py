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
from typing import Any

import nnrun
from nnrun.config.scaffold.from_data import draft
from nnrun.config.yaml import Text, parse
from tests.simulations.small_tables import development_tables

BUILT_IN = {"iris": 3, "wine": 3, "breast_cancer": 2, "digits": 10, "mnist_5k": 10}
MOONS = ((400, 0.2), (600, 0.4), (1000, 0.3), (2000, 0.15), (3000, 0.5))
"""Rows and noise of the data set that is computed."""


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
            block = parse(Text(draft(path, table.target, folder).text, path.name)).data["dataset"]
            classes = table.cells[table.target].nunique()
            yield table.name, classes, {**block, "path": str(path), "validation_size": 0}


def main(archives: str, seeds: str = "5") -> None:
    """Print a row for each table, then how many are better, worse and equal."""
    training = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 60, "batch_size": 32}
    config: dict[str, Any] = {"name": "one", "loss": "cross_entropy", "training": training}
    verdicts = Counter[str]()
    with TemporaryDirectory() as folder:
        for name, classes, dataset in data_sets(Path(archives), Path(folder)):
            config["dataset"] = {**dataset, "calibration_size": 0.2}
            config["network"] = {"sizes": [32, classes], "activations": ["relu", "softmax"]}
            found = [
                nnrun.train({**config, "seed": seed}, results=None).record.calibration or {}
                for seed in range(int(seeds))
            ]
            before, after = (
                fmean(one["test"][when]["log_loss"] for one in found)
                for when in ("before", "after")
            )
            verdict = "better" if after < before else "worse" if after > before else "equal"
            verdicts[verdict] += 1
            methods = Counter(one["method"] for one in found).most_common()
            chosen = ", ".join(f"{method} {count}" for method, count in methods)
            print(f"| {name} | {before:.4f} | {after:.4f} | {verdict} | {chosen} |", flush=True)
    print(dict(verdicts))


if __name__ == "__main__":
    main(*sys.argv[1:])
