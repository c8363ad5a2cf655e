"""Peers of `nnrun sweep`: each trains the same settings in one process, and keeps the results.

`python -m tests.benchmarks.sweepers NAME N` does N runs by one of them. A run is scikit-learn's
linear classifier with SGD on iris, for about as many updates as `iris_softmax` has at 500.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_EPOCHS = 4


def rates(number: int) -> list[float]:
    """The settings: this many learning rates."""
    return [round(0.1 + place / 1e6, 6) for place in range(number)]


@cache
def _rows() -> tuple[Any, Any, Any, Any]:
    datasets, selection = map(import_module, ("sklearn.datasets", "sklearn.model_selection"))
    x, y = datasets.load_iris(return_X_y=True)
    split = selection.train_test_split((x - x.mean(0)) / x.std(0), y, test_size=30, random_state=0)
    return tuple(split)  # type: ignore[return-value]


def _classifier(**settings: Any) -> Any:
    linear = import_module("sklearn.linear_model")
    return linear.SGDClassifier(
        loss="log_loss", learning_rate="constant", max_iter=_EPOCHS, tol=None, random_state=0,
        **settings,
    )  # fmt: skip


def train(rate: float) -> float:
    """The accuracy on the test rows of a run."""
    x, x_test, y, y_test = _rows()
    return float(_classifier(eta0=rate).fit(x, y).score(x_test, y_test))


def plain(number: int) -> None:
    """The runs in a loop, with nothing around them."""
    for rate in rates(number):
        train(rate)


def grid_search(number: int) -> None:
    """scikit-learn's GridSearchCV, whose joblib has one worker; results stay in memory."""
    selection = import_module("sklearn.model_selection")
    x, _, y, _ = _rows()
    split = selection.ShuffleSplit(1, test_size=30, random_state=0)
    search = selection.GridSearchCV(_classifier(), {"eta0": rates(number)}, cv=split, refit=False)
    search.fit(x, y)


def optuna(number: int) -> None:
    """Optuna's GridSampler, with SQLite as storage."""
    library, grid = import_module("optuna"), rates(number)
    library.logging.set_verbosity(library.logging.WARNING)
    sampler = library.samplers.GridSampler({"rate": grid}, seed=0)
    study = library.create_study(storage="sqlite:///study.db", sampler=sampler)
    study.optimize(lambda trial: train(trial.suggest_float("rate", grid[0], grid[-1])))


def hydra(number: int) -> None:
    """Hydra's multirun by its joblib launcher with one worker; a folder for each run."""
    library, store = import_module("hydra"), import_module("hydra.core.config_store")
    store.ConfigStore.instance().store(name="config", node={"rate": 0.1})
    words = f"rate={','.join(map(str, rates(number)))}"
    sys.argv[1:] = ["-m", words, "hydra/launcher=joblib", "hydra.launcher.n_jobs=1"]
    library.main(version_base=None, config_path=None, config_name="config")(_hydra_run)()


def _hydra_run(config: Any) -> float:
    return train(config.rate)


def ray(number: int) -> None:
    """Ray Tune with one CPU; a folder for each run."""
    library, tune = import_module("ray"), import_module("ray.tune")
    library.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(
        lambda config: {"accuracy": train(config["rate"])},
        param_space={"rate": tune.grid_search(rates(number))},
        run_config=tune.RunConfig(storage_path=os.path.abspath("ray"), verbose=0),
    )
    tuner.fit()


# By name: the function, what must be installed, and how many runs are measured.
SWEEPERS: dict[str, tuple[Callable[[int], None], str, int]] = {
    "a loop over the fits alone": (plain, "sklearn", 2_000),
    "scikit-learn, GridSearchCV": (grid_search, "sklearn", 2_000),
    "Optuna, GridSampler, SQLite": (optuna, "optuna", 500),
    "Hydra, joblib launcher": (hydra, "hydra_plugins.hydra_joblib_launcher", 100),
    "Ray Tune": (ray, "ray.tune", 100),
}


def measured(python: Sequence[str]) -> dict[str, list[str]]:
    """Milliseconds of wall and CPU time a run by each: the difference of two processes, one of few
    runs; or why not. Daemons, as of Ray, are no part of the CPU time.

    Args:
        python: the interpreter that has the peers, as a command.
    """
    return {name: _measured(name, python) for name in SWEEPERS}


def _measured(name: str, python: Sequence[str]) -> list[str]:
    _, package, number = SWEEPERS[name]
    there = f"import importlib; importlib.import_module({package!r})"
    if subprocess.run([*python, "-c", there], capture_output=True, check=False).returncode:
        return ["not installed", ""]
    few = number // 10
    short, long = (_seconds(name, count, python) for count in (few, number))
    each = (1000 * (b - a) / (number - few) for a, b in zip(short, long, strict=True))
    return [f"{milliseconds:.2f}" for milliseconds in each]


def _seconds(name: str, number: int, python: Sequence[str]) -> tuple[float, float]:
    from tests.benchmarks.folders import in_temporary_folder  # peers lack nnrun

    command = [*python, "-m", "tests.benchmarks.sweepers", name, str(number)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with in_temporary_folder():
        before, start = _cpu(), time.perf_counter()
        subprocess.run(command, env=environment, capture_output=True, check=True)
        return time.perf_counter() - start, _cpu() - before


def _cpu() -> float:
    """CPU seconds of all ended child processes."""
    taken = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken.ru_utime + taken.ru_stime


if __name__ == "__main__":
    SWEEPERS[sys.argv[1]][0](int(sys.argv[2]))
