"""`python -m tests.simulations.halving`: ending trials early against not, at equal budget.

The budget is counted in updates, so that the machine does not matter: as many trials as make about
the updates of twenty full ones. Shown is the best validation result of completed trials, and the
mean test result of the winner, for each data set over several seeds of the search.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.search.helpers import content_of, search

FULL = 20
# So many trials that the updates are about those of FULL trials: a group of nine makes those of
# 2.33; the other two end fewer.
TRIALS = {"none": FULL, "halving": 77, "asynchronous_halving": 36, "median": 24}
DATA = ("wine", "breast_cancer", "digits", "diabetes", "boston", "autompg")
_REGRESSION = ("diabetes", "boston", "autompg")


def config(data: str, pruning: str, seed: int) -> dict[str, Any]:
    """A search of a network for one of the data sets that come with nnrun."""
    numbers = data in _REGRESSION
    classes = {"wine": 3, "breast_cancer": 2, "digits": 10}.get(data, 1)
    last = "linear" if numbers else "softmax"
    block = {"name": data, "validation_size": 0.25, "test_size": 0.25, "features": "standard"}
    return {
        "name": data,
        "dataset": block | ({"target": "standard"} if numbers else {}),
        "network": {"sizes": [16, classes], "activations": ["relu", last]},
        "loss": "mean_squared" if numbers else "cross_entropy",
        "training": {"learning_rate": 0.01, "epochs": 27, "batch_size": 16, "optimizer": "adam"},
        "seed": seed,
        "search": {
            "trials": TRIALS[pruning],
            "pruning": pruning,
            "random": False,
            "top": 3,
            "fresh_seeds": 3,
            "training.learning_rate": {"log_uniform": [1e-4, 1]},
            "training.batch_size": {"choice": [8, 16, 32, 64]},
            "network.depth": {"int": [1, 3], "units": {"int": [4, 64], "log": True}},
        },
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.halving")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=",".join(DATA))
    given = parser.parse_args()
    print("| data | pruning | trials | full trials' updates | best validation | test of winner |")
    print("| :-- | :-- | --: | --: | --: | --: |")
    for data in given.only.split(","):
        for pruning, trials in TRIALS.items():
            made, best, test = [], [], []
            for seed in range(given.seeds):
                with tempfile.TemporaryDirectory() as folder:
                    state = search(config(data, pruning, seed), Path(folder))
                    content = content_of(Path(folder), data)
                made.append(content["saved"]["full_trials"])
                best.append(state.best.value)
                test.append(content["test"]["mean"])
            cells = (fmean(made), fmean(best), fmean(test))
            shown = " | ".join(f"{cell:.4g}" for cell in cells)
            print(f"| {data} | {pruning} | {trials} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
