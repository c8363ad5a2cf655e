"""`python -m tests.benchmarks.searching`: what a search takes beyond training, for each trial.

CPU time of this process, one run at a time: all of `nnrun search` less its updates and evaluations,
divided by its trials, and how much of it the sampler takes, which is Optuna's for `random`, `tpe`
and `cma_es`. Beside it Optuna alone, which asks and tells the same space with the same sampler.
Medians of five rounds in which nnrun and Optuna take turns.
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
from unittest.mock import patch

from nnrun.search.plan import plan_search
from nnrun.search.proposer import OptunaChooser, OptunaProposer, Sobol
from nnrun.sweeps.planning.variants import Datasets
from nnrun.training.trainer import Trainer
from tests.search.helpers import IRIS, search

SAMPLERS = ("random", "quasi_random", "tpe", "cma_es")
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


class _Timed:
    """The CPU seconds of calls of some methods."""

    def __init__(self, *methods: tuple[type, str]) -> None:
        self.seconds = 0.0
        self._patches = [
            patch.object(owner, name, self._of(owner, name)) for owner, name in methods
        ]

    def _of(self, owner: type, name: str) -> Callable[..., Any]:
        real = getattr(owner, name)

        def timed(*arguments: Any, **more: Any) -> Any:
            begun = process_time()
            try:
                return real(*arguments, **more)
            finally:
                self.seconds += process_time() - begun

        return timed

    def __enter__(self) -> _Timed:
        for each in self._patches:
            each.start()
        return self

    def __exit__(self, *error: object) -> None:
        for each in self._patches:
            each.stop()


def by_nnrun(sampler: str, trials: int) -> tuple[float, float]:
    """CPU seconds of a trial beyond its training, and those of its sampler."""
    proposers = [(OptunaProposer, "propose"), (OptunaProposer, "tell"), (Sobol, "propose")]
    with (
        tempfile.TemporaryDirectory() as folder,
        _Timed((Trainer, "run")) as training,
        _Timed(*proposers) as proposing,
    ):
        begun = process_time()
        search(config(sampler, trials), Path(folder))
        took = process_time() - begun
    return (took - training.seconds) / trials, proposing.seconds / trials


def by_optuna(sampler: str, trials: int) -> float:
    """CPU seconds of a trial whose value is known at once."""
    import optuna  # slow to import

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = plan_search(config(sampler, trials), [], Datasets()).space
    samplers = {
        "random": optuna.samplers.RandomSampler,
        "quasi_random": optuna.samplers.QMCSampler,
        "tpe": optuna.samplers.TPESampler,
        "cma_es": optuna.samplers.CmaEsSampler,
    }
    begun = process_time()
    study = optuna.create_study(sampler=samplers[sampler](seed=3))

    def value(trial: Any) -> float:
        return float(space.draw(OptunaChooser(trial)).values["training.learning_rate"])

    study.optimize(value, n_trials=trials)
    return (process_time() - begun) / trials


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.searching")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print("CPU ms a trial | beyond training | of it the sampler | Optuna alone")
    for sampler in given.samplers.split(","):
        rows = []
        for number in range(given.rounds + 1):
            row = (*by_nnrun(sampler, given.trials), by_optuna(sampler, given.trials))
            if number:  # the first round imports and compiles
                rows.append(row)
        cells = " | ".join(f"{1000 * median(column):.2f}" for column in zip(*rows, strict=True))
        print(f"{sampler} | {cells}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
