"""`python -m tests.benchmarks.searching`: seconds beyond training for each trial of a search.

CPU time of this process, one run at a time: all of `nnrun search` less the updates and evaluations
that its runs report, divided by its trials; in turn with Optuna alone, which asks and tells the
same space with the same sampler. Medians of five rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from nnrun.search.plan import plan_search
from nnrun.sweeps.planning.datasets import Datasets
from tests.search.helpers import IRIS, content_of, search

SAMPLERS = ("random", "tpe")
_SPACE = {
    "training.learning_rate": {"log_uniform": [1e-3, 1]},
    "training.batch_size": {"int": [4, 32]},
    "network.layers.0.units": {"int": [2, 16], "log": True},
    "network.layers.0.activation": {"choice": ["tanh", "relu", "sigmoid"]},
}


def config(sampler: str, trials: int) -> dict[str, Any]:
    """A search whose runs take about a millisecond."""
    options = {"trials": trials, "sampler": sampler, "top": 1, "fresh_seeds": 2, "random": False}
    return {**IRIS, "search": {**options, **_SPACE}}


def by_nnrun(sampler: str, trials: int) -> float:
    """CPU seconds of a trial beyond its training."""
    with tempfile.TemporaryDirectory() as folder:
        begun = process_time()
        search(config(sampler, trials), Path(folder))
        took = process_time() - begun
        trained = sum(trial["seconds"] for trial in content_of(Path(folder))["trials"])
    return (took - trained) / trials


def by_optuna(sampler: str, trials: int) -> float:
    """CPU seconds of a trial whose value is known at once."""
    import optuna  # slow to import

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = plan_search(config(sampler, trials), [], Datasets()).space
    begun = process_time()
    kind = optuna.samplers.RandomSampler if sampler == "random" else optuna.samplers.TPESampler
    study = optuna.create_study(sampler=kind(seed=3))
    from nnrun.search.proposer import OptunaChooser  # as above

    def value(trial: Any) -> float:
        return float(space.draw(OptunaChooser(trial)).values["training.learning_rate"])

    study.optimize(value, n_trials=trials)
    return (process_time() - begun) / trials


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.searching")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    contestants: dict[str, Callable[[str, int], float]] = {"nnrun": by_nnrun, "optuna": by_optuna}
    print(f"{'sampler':10}" + "".join(f"{name:>10}" for name in contestants) + "   CPU ms a trial")
    for sampler in SAMPLERS:
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(given.rounds + 1):
            for name, measure in contestants.items():
                seconds = measure(sampler, given.trials)
                if number:  # the first round imports and compiles
                    times[name].append(seconds)
        cells = "".join(f"{1000 * median(times[name]):10.2f}" for name in contestants)
        print(f"{sampler:10}{cells}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
