"""`python -m tests.simulations.halving -o results/HALVING.md`: ending trials early against not.

The budget is counted in updates, so that the machine does not matter: as many trials as make about
the updates of twenty full ones. For each data set and seed of the search, which draws the rows of
the splits too, the best validation result of completed trials and the mean test result of the
winner. The rule was fixed before any seed was run: all six data sets, seeds 0, 1, …; the page is
written after each.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

from tests.search.helpers import content_of, search
from tests.simulations.best_of_table import table

FULL = 20
# So many trials that the updates are about those of FULL trials: a group of nine makes those of
# 2.6, since rungs are at evaluations; the other two end fewer.
TRIALS = {"none": FULL, "halving": 68, "asynchronous_halving": 36, "median": 24}
DATA = ("wine", "breast_cancer", "digits", "diabetes", "boston", "autompg")
_REGRESSION = ("diabetes", "boston", "autompg")
Found = Mapping[str, float]
Results = Mapping[tuple[str, str], Sequence[Found]]


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


def searched(data: str, pruning: str, seed: int) -> Found:
    """What one search comes to, and the updates that its trials make, in full trials."""
    with tempfile.TemporaryDirectory() as folder:
        state = search(config(data, pruning, seed), Path(folder))
        content = content_of(Path(folder), data)
    assert state.best is not None
    assert state.best.value is not None
    test = content["test"]["mean"]
    made = content["saved"]["full_trials"]
    return {"updates": made, "validation": state.best.value, "test": test}


def report(found: Results, prunings: Sequence[str]) -> Iterator[str]:
    """The page."""
    seeds = len(next(iter(found.values())))
    yield "# Ending trials early"
    yield (
        f"`nnrun search --pruning …` on six data sets, {seeds} seeds each (0 to {seeds - 1}), each "
        "search with the updates of about twenty full trials: `none` makes 20 trials, `halving` "
        f"{TRIALS['halving']}. Of each search, the best validation result of its trials and the "
        "mean test result of "
        "its winner. Δ is the difference from `none` with the same seed, which has the same rows, "
        "with the 95% interval of Student's t over the seeds; b/e/w counts the seeds on which the "
        "test result is better, equal and worse. Accuracies are better when larger, `mse` when "
        "smaller. Data sets, trials and seeds were fixed before the first search was made."
    )
    yield "Made by `python -m tests.simulations.halving -o results/HALVING.md`."
    header = ["metric", "pruning", "full trials' updates", "best validation", "test"]
    header += ["Δ validation", "Δ test", "b/e/w"]
    yield table("data", header, [_row(found, *key) for key in found])
    for pruning in prunings[1:]:
        sums = [0, 0, 0]
        for data in dict.fromkeys(data for data, _ in found):
            sums = [*map(sum, zip(sums, better(found, data, pruning), strict=True))]
        yield f"`{pruning}` over all: better on {sums[0]}, equal on {sums[1]}, worse on {sums[2]}."


def _row(found: Results, data: str, pruning: str) -> list[str]:
    of, none = ([*found[data, kind]] for kind in (pruning, "none"))
    row = [data, "mse" if data in _REGRESSION else "accuracy", pruning]
    row += [f"{fmean(one['updates'] for one in of):.1f}"]
    row += [f"{fmean(one[key] for one in of):.4f}" for key in ("validation", "test")]
    if pruning == "none":
        return [*row, "", "", ""]
    gaps = [gaps_of(of, none, key) for key in ("validation", "test")]
    return [*row, *map(interval, gaps), "/".join(map(str, better(found, data, pruning)))]


def gaps_of(ours: Sequence[Found], others: Sequence[Found], key: str) -> Sequence[float]:
    """The difference on each seed."""
    return [one[key] - other[key] for one, other in zip(ours, others, strict=True)]


def interval(gaps: Sequence[float]) -> str:
    """Their mean ± its 95% interval."""
    if len(gaps) < 2:
        return f"{gaps[0]:+.4f}"
    half = float(stdtrit(len(gaps) - 1, 0.975)) * stdev(gaps) / len(gaps) ** 0.5
    return f"{fmean(gaps):+.4f} ± {half:.4f}"


def better(found: Results, data: str, pruning: str) -> Sequence[int]:
    """On how many seeds the test result is better, equal and worse than without pruning."""
    sign = -1 if data in _REGRESSION else 1
    gaps = [sign * gap for gap in gaps_of(found[data, pruning], found[data, "none"], "test")]
    return [sum(gap > 0 for gap in gaps), gaps.count(0), sum(gap < 0 for gap in gaps)]


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.halving")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--prunings", default="none,halving")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    prunings = given.prunings.split(",")
    found: dict[tuple[str, str], list[Found]] = {(d, p): [] for d in DATA for p in prunings}
    for seed in range(given.seeds):
        for (data, pruning), results in found.items():
            results.append(searched(data, pruning, seed))
        given.output.write_text("\n\n".join(report(found, prunings)) + "\n")


if __name__ == "__main__":
    main()
