"""`python -m tests.simulations.drafts ARCHIVES FOLDER -o results/DRAFTS.md`.

What `nnrun init` drafts for small tables, trained by `nnrun train`, beside scikit-learn's models,
LightGBM, CatBoost, RealMLP-TD-S and TabM (from PyPI: lightgbm, catboost, pytabkit): two random
splits of each table, the same rows for all, one thread. ARCHIVES is a folder of the wheels and
source archives of the packages of `results/TABLES.md`; `--held-out ARCHIVES` is one of those of
`small_tables.HELD_OUT`, whose tables are measured too. FOLDER keeps what is found, and what it has
is not run again, but for a draft whose config has changed. `--before FOLDER` has the drafts of an
earlier nnrun, and `--search SECONDS` searches on every third held-out table, in the list's order.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

import nnrun
from nnrun.api.run import Predictions
from nnrun.config.scaffold.from_data import draft
from tests.simulations.best_of_table import table as grid
from tests.simulations.drafts_peers import PEERS, columns_of, targets_of
from tests.simulations.small_tables import SmallTable, development_tables, held_out_tables

SPLITS, TEST = 2, 0.2
EQUAL = 0.002
SLOW, SLOW_ROWS = {"TabM"}, 1_000
"""Models that take minutes: one split each, of tables of at most this many rows."""
_COMMAND = (
    "python -m tests.simulations.drafts ARCHIVES FOLDER --held-out ARCHIVES --before FOLDER "
    "--search 300 -o results/DRAFTS.md"
)
_DRAFT, _BEFORE, _SEARCH = "the draft", "the draft before", "search,"
Found = dict[str, Any]
V = TypeVar("V")


def rows_of(table: SmallTable, split: int) -> tuple[np.ndarray, np.ndarray]:
    """The training and the test rows of a split."""
    order = np.random.default_rng(split).permutation(len(table.cells))
    tested = math.ceil(TEST * len(order))
    return np.sort(order[tested:]), np.sort(order[:tested])


def score(table: SmallTable, test: np.ndarray, predicted: np.ndarray) -> float:
    """Accuracy, or R²."""
    y = targets_of(table)[test]
    if table.task == "classification":
        return float(np.mean(y == predicted))
    return float(1 - np.sum((y - predicted) ** 2) / np.sum((y - y.mean()) ** 2))


def by_draft(table: SmallTable, split: int, before: Found | None) -> Found:
    """The draft for the training rows, which are a file of their own, without columns left out.

    A test row that its model refuses is predicted as the mean, or the largest class, of training.
    """
    train, test = rows_of(table, split)
    with TemporaryDirectory() as folder:
        data, config = Path(folder) / "table.csv", Path(folder) / "table.yaml"
        # A header row of numbers alone is refused.
        cells = table.cells[[*table.features, table.target]].rename(columns=_worded)
        cells.iloc[train].to_csv(data, index=False)
        text = draft(data, _worded(table.target), data.parent).text
        if before is not None and before["config"] == text:
            return before
        config.write_text(text, encoding="utf-8")
        new = cells.iloc[test, :-1]

        def predictions() -> Predictions:
            whole = {"dataset.test_size": 0}
            run = nnrun.train(str(config), whole, seed=split, results=None, threads=1)
            return run.predictions(new, skip_bad=True)

        _timed(predictions)  # compiles what is kept for later trainings
        seconds, predicted = _timed(predictions)
    value = score(table, test, _filled(table, train, test, predicted))
    refused = len(predicted.skipped)
    return {"value": value, "seconds": seconds, "refused": refused, "config": text}


def _worded(name: str) -> str:
    return f"column {name}" if name[:1].isdigit() else name


def _plain(label: Any) -> str:
    """A class as text; numbers are the same however they are written."""
    try:
        return f"{float(label):g}"
    except ValueError:
        return str(label).strip()


def by_peer(table: SmallTable, split: int, model: str) -> Found:
    """One of the other models on the same rows."""
    train, test = rows_of(table, split)
    x, y = columns_of(table), targets_of(table)
    classes = table.task == "classification"
    labels, places = np.unique(y[train], return_inverse=True) if classes else (None, y[train])
    peer = PEERS[model]
    seconds, values = _timed(lambda: peer(x.iloc[train], places, x.iloc[test], classes))
    values = labels[values.astype(int)] if labels is not None else values
    return {"value": score(table, test, values), "seconds": seconds}


def _timed(work: Callable[[], V]) -> tuple[float, V]:
    """Seconds of one processor, and what is found."""
    with threadpool_limits(1), warnings.catch_warnings(action="ignore"):
        begun = time.process_time()
        values = work()
        return time.process_time() - begun, values


def by_search(table: SmallTable, split: int, seconds: int) -> Found:
    """`nnrun search` on the training rows, in one process; the network that it has found."""
    train, test = rows_of(table, split)
    cells = table.cells[[*table.features, table.target]].rename(columns=_worded)
    with TemporaryDirectory() as folder:
        data, results = Path(folder) / "table.csv", Path(folder) / "results"
        cells.iloc[train].to_csv(data, index=False)
        words = [
            "search",
            data,
            "--target",
            _worded(table.target),
            "--time",
            f"{seconds}s",
            "-j",
            1,
        ]
        command = [sys.executable, "-m", "nnrun", *words, "dataset.test_size=0"]
        subprocess.run([*map(str, command), "--results", results], check=True, capture_output=True)
        run = nnrun.load("table/best", results=results)
        predicted = run.predictions(cells.iloc[test, :-1], skip_bad=True)
    return {"value": score(table, test, _filled(table, train, test, predicted)), "seconds": seconds}


def _filled(
    table: SmallTable, train: np.ndarray, test: np.ndarray, predicted: Predictions
) -> np.ndarray:
    """The predictions of test rows; one that is refused is the mean, or the largest class."""
    y, classes = targets_of(table)[train], table.task == "classification"
    values = np.full(len(test), Counter(y).most_common(1)[0][0] if classes else y.mean(), y.dtype)
    names = {_plain(label): label for label in y}
    for row, value in zip(predicted.rows, predicted.table["prediction"], strict=True):
        values[row] = names[_plain(value)] if classes else value
    return values


def measured(table: SmallTable, model: str, folder: Path) -> list[Found]:
    """What each split gives, from the folder where it has been run."""
    place = folder / re.sub(r"\W+", "_", table.name)
    place.mkdir(parents=True, exist_ok=True)
    results = []
    is_search = model.startswith(_SEARCH)
    splits = (len(table.cells) <= SLOW_ROWS) if model in SLOW else 1 if is_search else SPLITS
    for split in range(splits):
        file = place / f"{re.sub(r'[^A-Za-z]+', '_', model)}_{split}.json"
        before = json.loads(file.read_text()) if file.exists() else None
        try:
            if model == _DRAFT:
                found = by_draft(table, split, before)
            elif is_search:
                found = before or by_search(table, split, int(model.split()[1]))
            else:
                found = before or by_peer(table, split, model)
        except Exception as error:  # any model's, which counts as worse than all others
            found = {"value": None, "seconds": 0.0, "error": repr(error)[:300], "config": ""}
        file.write_text(json.dumps(found, indent=1))
        results.append(found)
    return results


def report(
    models: Sequence[str],
    folder: Path,
    sets: dict[str, list[SmallTable]],
    earlier: Path | None = None,
    seconds: int | None = None,
) -> Iterator[str]:
    """The page, block by block; `earlier` has drafts of before, `seconds` are those of a search."""
    yield "# Drafts beside other models"
    yield (
        "What `nnrun init` drafts for tables of 300 to 6,000 rows, and other models by their "
        f"defaults, on {SPLITS} random splits of each, with {TEST:.0%} of the rows for the test. "
        "`tests/simulations/small_tables.py` has the rule by which the tables were chosen, and "
        "`drafts_peers.py` beside it what each model gets. Seconds are those of one processor "
        "core, from rows to predictions; what a draft compiles is compiled before."
    )
    yield f"```sh\n{_COMMAND}\n```"
    yield (
        "The draft is better or worse than a model where the mean of its test results is, by more "
        f"than {EQUAL} of accuracy or R²; a model that fails is worse than any that does not. "
        f"{' and '.join(SLOW)} takes minutes: it has one split, of tables of at most "
        f"{SLOW_ROWS:,} rows."
    )
    for title, tables in sets.items():
        found = {model: [measured(table, model, folder) for table in tables] for model in models}
        if earlier is not None:
            before = [measured(table, _BEFORE, earlier) for table in tables]
            found = {_DRAFT: found[_DRAFT], _BEFORE: before, **found}
        yield f"## {title}: {len(tables)}"
        yield from _tables(tables, found)
    if seconds is not None:
        tables = sets["Tables held out"][::3]
        compared = [f"{_SEARCH} {seconds} s", *models]
        found = {
            model: [measured(table, model, folder)[:1] for table in tables] for model in compared
        }
        yield f"## `nnrun search` of {seconds} seconds: {len(tables)} of the tables held out"
        yield (
            "Every third one in the order of the list, its first split: a search of one process "
            "with the training rows alone, which ends with a network or several of its own choice."
        )
        yield from _tables(tables, found)


def _tables(tables: Sequence[SmallTable], found: dict[str, list[list[Found]]]) -> Iterator[str]:
    """The counts of the first model beside each other one, and all results."""
    header = ["better : worse : equal", "better or equal", "seconds, median", "most"]
    yield grid("model", header, _pairs(found))
    rows = [_row(*each, found) for each in enumerate(tables)]
    yield grid("table", ["rows × features", "metric", *found], rows)


def _mean(results: list[Found]) -> float:
    values = [found["value"] for found in results]
    return -math.inf if None in values else float(np.mean(values))


def _pairs(found: dict[str, list[list[Found]]]) -> Iterator[list[str]]:
    first = next(iter(found))
    for model, results in found.items():
        seconds = [each["seconds"] for splits in results for each in splits]
        pairs = [
            (_mean(drafts[: len(splits)]), _mean(splits))
            for drafts, splits in zip(found[first], results, strict=True)
            if splits
        ]
        better = sum(draft > other + EQUAL for draft, other in pairs)
        worse = sum(draft < other - EQUAL for draft, other in pairs)
        counts = f"{better} : {worse} : {len(pairs) - better - worse}"
        judged = [counts, f"{1 - worse / max(1, len(pairs)):.0%}"]
        times = [_seconds(median(seconds)), _seconds(max(seconds))] if seconds else ["–", "–"]
        yield [model, *(["–", "–"] if model == first else judged), *times]


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _row(place: int, table: SmallTable, found: dict[str, list[list[Found]]]) -> list[str]:
    extent = f"{len(table.cells):,} × {len(table.features)}"
    cells = [_shown(results[place]) for results in found.values()]
    return [f"{table.name}, {table.target}".replace("|", r"\|"), extent, table.metric, *cells]


def _shown(results: list[Found]) -> str:
    if not results:
        return "–"
    mean = _mean(results)
    return "fails" if math.isinf(mean) else f"{mean:.4f}"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.drafts")
    parser.add_argument("archives", type=Path, help="of the packages of results/TABLES.md")
    parser.add_argument("folder", type=Path, help="keeps what is found")
    parser.add_argument("--held-out", type=Path, help="archives of the packages held out")
    parser.add_argument("--before", type=Path, help="a FOLDER of an earlier nnrun")
    parser.add_argument("--search", type=int, metavar="SECONDS", help="needs --held-out")
    parser.add_argument("--models", nargs="+", choices=PEERS, default=[*PEERS])
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    sets = {"Development tables": development_tables(given.archives)}
    if given.held_out is not None:
        sets["Tables held out"] = held_out_tables(given.held_out)
    blocks = report([_DRAFT, *given.models], given.folder, sets, given.before, given.search)
    page = "\n\n".join(blocks)
    given.output.write_text(page + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
