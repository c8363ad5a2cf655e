"""`python -m tests.simulations.ten_data_sets`: whether folds and drawn splits choose the same.

Ten data sets, six settings each, swept by folds and by drawn splits with as many runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.datasets import make_friedman1

import nnrun
from nnrun.reports.numbers import measured
from nnrun.sweeps.board.rows import Group, Row
from tests.simulations.comparisons.designs import Table

SEEDS, FOLDS = 4, 5
GRID = {"training.learning_rate": [0.3, 0.03, 0.003], "network.layers.0.units": [4, 16]}
DATA: dict[str, dict[str, Any]] = {
    "iris": {"name": "iris"},
    "wine": {"name": "wine"},
    "breast_cancer": {"name": "breast_cancer"},
    "digits": {"name": "digits"},
    "moons, noise 0.2": {"name": "moons", "rows": 300, "noise": 0.2},
    "moons, noise 0.4": {"name": "moons", "rows": 300, "noise": 0.4, "seed": 1},
    "diabetes": {"name": "diabetes"},
    "boston": {"name": "boston"},
    "autompg": {"name": "autompg"},
    "friedman1": {"path": "friedman1.npz"},
}
_CLASSES = {"iris": 3, "wine": 3, "breast_cancer": 2, "digits": 10, "moons": 2}


@dataclass(frozen=True)
class Choice:
    """What the two boards of a data set say.

    Args:
        data: its name.
        folds: the board by folds.
        splits: the board by drawn splits.
    """

    data: str
    folds: Group
    splits: Group

    @property
    def same_first(self) -> bool:
        """Whether the first row is the same."""
        return self.folds.rows[0].choice == self.splits.rows[0].choice

    @property
    def agree(self) -> bool:
        """Whether the first row of each board is among those that the other marks."""
        both = ((self.folds, self.splits), (self.splits, self.folds))
        return all(_row(other, one.rows[0].choice).tied for one, other in both)


def choices(folder: Path, data: Sequence[str] = tuple(DATA), **training: Any) -> Iterator[Choice]:
    """The boards of these data sets."""
    x, y = make_friedman1(n_samples=300, noise=1.0, random_state=0)
    np.savez(folder / "friedman1.npz", x=x, y=y)
    for name in data:
        folds = {"folds": FOLDS}
        splits = {"test_size": 1 / FOLDS, "stratify": DATA[name].get("name") in _CLASSES}
        yield Choice(
            name,
            _group(config(name, folder, folds, training), SEEDS),
            _group(config(name, folder, splits, training), SEEDS * FOLDS),
        )


def config(
    name: str, folder: Path, division: dict[str, Any], training: dict[str, Any]
) -> dict[str, Any]:
    """A small network for a data set."""
    block = DATA[name] | division | {"features": "standard"}
    if "path" in block:
        block["path"] = str(folder / block["path"])
    classes = _CLASSES.get(block.get("name", ""))
    if classes is None:
        block["target"] = "standard"
    last = {"units": classes or 1, "activation": "softmax" if classes else "linear"}
    layers = [{"type": "dense", "units": 4, "activation": "tanh"}, {"type": "dense", **last}]
    return {
        "name": "choice",
        "dataset": block,
        "network": {"layers": layers},
        "loss": "cross_entropy" if classes else "mean_squared",
        "training": {"epochs": 20, "batch_size": 16, "learning_rate": 0.03, **training},
    }


def _group(content: dict[str, Any], seeds: int) -> Group:
    board = nnrun.sweep(content, GRID, seeds=seeds, results=None, jobs=1)
    (group,) = board.groups
    return group


def _row(group: Group, choice: dict[str, Any]) -> Row:
    return next(row for row in group.rows if row.choice == choice)


def report(table: Table) -> Iterator[str]:
    """The part of the page on real data."""
    yield "## Ten data sets by folds and by drawn splits"
    yield (
        f"Six settings (three learning rates, two widths, 20 epochs), by {SEEDS} × {FOLDS} folds "
        f"and by {SEEDS * FOLDS} drawn splits of which 20% is tested, on data sets that ship with "
        "nnrun and on two that are made. The boards agree where the first row of each is among the "
        "rows that the other marks as possibly the best."
    )
    with TemporaryDirectory() as folder:
        found = list(choices(Path(folder)))
    header = ["first by folds", "mean", "marked", "first by splits", "mean", "marked", "agree"]
    yield table("data", header, [[choice.data, *_cells(choice)] for choice in found])
    same, agree = sum(one.same_first for one in found), sum(one.agree for one in found)
    yield f"The first row is the same on {same} of {len(found)}, and the boards agree on {agree}."


def _cells(choice: Choice) -> Iterator[str]:
    for group in (choice.folds, choice.splits):
        row = group.rows[0]
        rate, units = row.choice.values()
        yield f"rate {rate:g}, {units} units"
        yield measured(row.mean, row.summary(group.ordered_by).half)
        yield f"{sum(row.tied for row in group.rows)} of {len(group.rows)}"
    yield "yes" if choice.agree else "no"


def main() -> None:
    from tests.simulations.best_of_table import table

    for block in report(table):
        print(block, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
