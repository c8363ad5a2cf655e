"""`python -m tests.simulations.thirty_tables TABLES FOLDER -o results/SEARCHED.md`.

`nnrun search TABLE --time T` without a config, beside scikit-learn's randomized search over its
network and over its boosting: the same rows for the test, the same seconds, the same cores. TABLES
is the folder that `tests.simulations.sixty_tables` keeps; FOLDER keeps what is found, and what it
has is not run again.

The rule, fixed before a search was tried on any of them: of the sixty tables, in their order, the
first thirty with at least 500 rows whose target `nnrun init` drafts. That target is predicted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from nnrun.config.load import load_config
from nnrun.config.scaffold.from_data import draft, searched_content
from nnrun.reports.numbers import metric_number
from nnrun.runs.preparation.prepare import prepare
from tests.simulations.best_of_table import table

COUNT, LEAST_ROWS = 30, 500
CORES = len(os.sched_getaffinity(0))
_FOLDS = 5
Found = dict[str, Any]
Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def chosen(tables: Path) -> Iterator[tuple[Path, str, str]]:
    """The thirty tables, each with its target and its metric, `r2` or `accuracy`."""
    left = COUNT
    for folder in sorted(path for path in tables.iterdir() if path.is_dir()):
        found = json.loads((folder / "found.json").read_text())
        (file,) = (path for path in folder.iterdir() if path.suffix in (".csv", ".tsv"))
        rows = file.read_bytes().count(b"\n") - 1
        if "refused" not in found and rows >= LEAST_ROWS and left:
            left -= 1
            yield file, found["target"], found["metric"]


def by_nnrun(
    data: Path, target: str, metric: str, seconds: float, folder: Path, *words: str
) -> Found:
    """The mean test result of the winner of a search that takes the time."""
    command = [
        sys.executable, "-m", "nnrun", "search", str(data), *words, "--target", target,
        "--time", f"{seconds:g}s", "-j", str(CORES), "--results", str(folder), "--json", "-q",
    ]  # fmt: skip
    begun = perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)
    took = perf_counter() - begun
    if done.returncode:
        return {"refused": done.stderr.decode()[-500:], "seconds": took}
    content = json.loads(done.stdout)
    reports = [
        json.loads((folder / content["name"] / run / "report.json").read_text())
        for run in content["test"]["run_ids"]
    ]
    values = [report["metrics"]["test"][metric] for report in reports]
    return {
        "value": float(np.mean(values)),
        "seconds": took,
        "tried": len(content["trials"]),
        "winner": content["winner"]["origin"],
        "choice": content["winner"]["choice"],
        "saved": content["saved"]["share"],
    }


def rows_of(data: Path, target: str) -> Rows:
    """The rows that nnrun's search trains and judges by, and its test rows, as scikit-learn's
    models take them: categories one-hot, missing numbers filled in.
    """
    drafted = searched_content(draft(data.absolute(), target, Path.cwd()), data)
    without = ("features", "target", "validation_size")
    block = {key: value for key, value in drafted["dataset"].items() if key not in without}
    config = {"name": "beside", "dataset": block, "beside": "mlp"}
    examples = prepare(load_config(config)).examples
    train, test = examples["train"], examples["test"]
    return train.x, np.ravel(train.y), test.x, np.ravel(test.y)


def by_scikit_learn(rows: Rows, metric: str, seconds: float, kind: str) -> Found:
    """Randomized searches, batch after batch until the time is over; the best is tested."""
    from sklearn.model_selection import RandomizedSearchCV

    x, y, x_test, y_test = rows
    estimator, space = (_network if kind == "mlp" else _boosting)(metric == "accuracy", len(x))
    begun, longest, tried, best = perf_counter(), 0.0, 0, None
    number = 0
    while best is None or perf_counter() - begun + longest < seconds:
        start = perf_counter()
        search = RandomizedSearchCV(
            estimator, space, n_iter=CORES, cv=_FOLDS, scoring=metric, n_jobs=CORES,
            random_state=number, error_score=-1e9,
        )  # fmt: skip
        search.fit(x, y)
        longest = max(longest, perf_counter() - start)
        number, tried = number + 1, tried + CORES
        if best is None or search.best_score_ > best.best_score_:
            best = search
    took = perf_counter() - begun
    value = best.score(x_test, y_test)
    chosen_settings = {key: str(setting) for key, setting in best.best_params_.items()}
    return {"value": float(value), "seconds": took, "tried": tried, "choice": chosen_settings}


def _network(classes: bool, rows: int) -> tuple[Any, dict[str, Any]]:
    """scikit-learn's network on standardized features, with the space of nnrun's draft."""
    from scipy.stats import loguniform
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    epochs = max(10, min(200, 100_000 // rows))
    network = (MLPClassifier if classes else MLPRegressor)(
        early_stopping=True, max_iter=epochs, random_state=0
    )
    widths = (8, 16, 32, 64, 128, 256)
    space: dict[str, Any] = {
        "hidden_layer_sizes": [(w,) * depth for depth in (1, 2, 3) for w in widths],
        "activation": ["relu", "tanh", "logistic"],
        "alpha": loguniform(1e-5, 0.1),
        "learning_rate_init": loguniform(5e-4, 0.05),
        "batch_size": [16, 32, 64, 128, 256],
    }
    pipeline = make_pipeline(StandardScaler(), network)
    step = type(network).__name__.lower()
    space = {f"{step}__{key}": value for key, value in space.items()}
    space["standardscaler"] = [StandardScaler(), MinMaxScaler()]
    if classes:
        return pipeline, space
    target = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    return target, {f"regressor__{key}": value for key, value in space.items()}


def _boosting(classes: bool, rows: int) -> tuple[Any, dict[str, Any]]:
    """scikit-learn's boosting."""
    from scipy.stats import loguniform
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    space = {
        "learning_rate": loguniform(0.01, 0.5),
        "max_iter": [50, 100, 200, 400],
        "max_leaf_nodes": [7, 15, 31, 63],
        "min_samples_leaf": [5, 10, 20, 40],
        "l2_regularization": loguniform(1e-6, 10),
    }
    return kind(random_state=0), space


def measured(
    data: Path, target: str, metric: str, seconds: float, folder: Path, contestants: Sequence[str]
) -> Found:
    """What each contestant reaches on a table."""
    folder.mkdir(parents=True, exist_ok=True)
    pruned = {"ours": (), "ours unpruned": ("--pruning", "none")}
    pruned["ours halving"] = ("--pruning", "asynchronous_halving")
    found: Found = {"table": data.name, "metric": metric, "target": target}
    for name in contestants:
        kept = folder / f"{name.replace(' ', '_')}.json"
        if not kept.exists():
            if name in pruned:
                place = folder / name.replace(" ", "_")
                words = pruned[name]
                result = by_nnrun(data, target, metric, seconds, place, *words)
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    result = by_scikit_learn(rows_of(data, target), metric, seconds, name)
            kept.write_text(json.dumps(result, indent=1))
        found[name] = json.loads(kept.read_text())
    return found


def report(found: Sequence[Found], seconds: float, contestants: Sequence[str]) -> Iterator[str]:
    """The page."""
    cores = "core" if CORES == 1 else f"{CORES} cores"
    yield "# Thirty tables, searched without a config"
    yield (
        f"`nnrun search TABLE --target COLUMN --time {seconds:g}s` beside scikit-learn's "
        "RandomizedSearchCV (five folds, batches of random settings until the time is over) over "
        "its network (`mlp`) and its HistGradientBoosting (`boosting`): the same test rows, the "
        f"same seconds, one contestant after the other on the same {cores}. Of the sixty tables "
        "of TABLES.md, in their order, the first thirty with at least 500 rows whose target "
        "`nnrun init` drafts; the rule was fixed before a search was tried on any. nnrun's result "
        "is the mean of its winner's runs, trained without the validation rows; scikit-learn's "
        "best is trained again on all rows but those of the test."
    )
    rows = [
        [one["table"], "R²" if one["metric"] == "r2" else one["metric"],
         *(_cell(one, name) for name in contestants),
         *(str(one[name].get("tried", "–")) for name in contestants)]
        for one in found
    ]  # fmt: skip
    header = ["metric", *contestants, *(f"tried by {name}" for name in contestants)]
    yield table("table", header, rows)
    yield "\n".join(_sums(found, name) for name in contestants if name != "ours")


def _cell(one: Found, name: str) -> str:
    value = one[name].get("value")
    return "refused" if value is None else metric_number(one["metric"], value)


def _sums(found: Sequence[Found], name: str) -> str:
    """On how many tables ours is better and worse, and the median difference."""
    gaps = [
        one["ours"]["value"] - one[name]["value"]
        for one in found
        if "value" in one["ours"] and "value" in one[name]
    ]
    better, worse = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    middle = float(np.median(gaps)) if gaps else 0.0
    return (
        f"- ours and {name}: better on {better}, worse on {worse}; median difference {middle:+.4f}"
    )


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.thirty_tables")
    parser.add_argument("tables", type=Path, help="the folder that sixty_tables keeps")
    parser.add_argument("folder", type=Path, help="keeps what is found")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--contestants", default="ours,mlp,boosting")
    parser.add_argument("--only", type=int, default=COUNT, help="this many of the thirty")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    names = given.contestants.split(",")
    found = []
    for number, (data, target, metric) in enumerate(chosen(given.tables)):
        if number < given.only:
            place = given.folder / f"{number:02}"
            found.append(measured(data, target, metric, given.seconds, place, names))
            print(found[-1]["table"], *(_cell(found[-1], name) for name in names), flush=True)
    given.output.write_text("\n\n".join(report(found, given.seconds, names)) + "\n")


if __name__ == "__main__":
    main()
