"""`python -m tests.simulations.coverage [SPLITS] [--mapie]`: what intervals and sets cover.

Twenty data sets, each divided anew for every split; a network with a validation split, and eight
with validation rows of their own. Rows that no network or quantile has seen are counted: of all,
and of the group that has least (a fifth of the predictions, a class, or a site). With --mapie, the
sizes of `mapie`'s intervals and sets stand beside those of the same networks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn import datasets

import nnrun
from nnrun.models.model import Model

LEVELS, MOST_ROWS = (0.8, 0.9, 0.95), 1000
MEMBERS = {"one network": None, "eight, own rows": {"number": 8, "validation": "own"}}
REAL = {"iris": "iris", "wine": "wine", "breast cancer": "breast_cancer", "digits": "digits"}
# Of made data: the noise, or the cuts between classes; rows to train on; sites.
MADE: dict[str, tuple[str, Any, int, int]] = {
    "even noise": ("normal", 0.5, 400, 0),
    "no noise": ("normal", 0.0, 400, 0),
    "uneven noise": ("uneven", 1.0, 400, 0),
    "noise by size": ("growing", 1.0, 400, 0),
    "skewed": ("skewed", 1.0, 400, 0),
    "heavy tails": ("heavy", 0.5, 400, 0),
    "few rows": ("normal", 0.5, 80, 0),
    "few rows, heavy": ("heavy", 0.5, 80, 0),
    "sites": ("normal", 0.3, 400, 60),
    "sites, few": ("normal", 0.3, 400, 30),
    "2 classes": ("classes", [0.0], 400, 0),
    "2 classes, 1 in 12": ("classes", [1.8], 400, 0),
    "3 classes, few rows": ("classes", [-0.5, 0.5], 80, 0),
    "4 classes": ("classes", [-1, 0, 1], 400, 0),
    "6 classes, unequal": ("classes", [-2, 0, 1.2, 1.7, 2.1], 400, 0),
}
NOISE = {
    "normal": lambda rng, x: rng.standard_normal(len(x)),
    "uneven": lambda rng, x: (0.2 + 0.8 * (x[:, 3] > 0)) * rng.standard_normal(len(x)),
    "growing": lambda rng, x: 0.5 * np.abs(x[:, 0]) * rng.standard_normal(len(x)),
    "skewed": lambda rng, x: rng.exponential(size=len(x)),
    "heavy": lambda rng, x: rng.standard_t(3, len(x)),
    "classes": lambda rng, x: 0.7 * rng.standard_normal(len(x)),
}


def made(name: str) -> tuple[Any, Any, Any, int]:
    """Rows, targets, the site of each row if there are some, and how many to train on."""
    if name in REAL or name == "diabetes":
        x, y = getattr(datasets, f"load_{REAL.get(name, name)}")(return_X_y=True)
        x, y = x[:MOST_ROWS], y[:MOST_ROWS]
        return x, y, None, len(x) // 2
    kind, noise, rows, sites = MADE[name]
    rng = np.random.default_rng([*name.encode()])
    x = rng.standard_normal((rows + MOST_ROWS, 6))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    if kind == "classes":
        return x, np.digitize(y + NOISE[kind](rng, x), noise), None, rows
    site = rng.choice(sites, len(x), p=rng.dirichlet(np.ones(sites))) if sites else None
    y = y + noise * NOISE[kind](rng, x)
    return x, y if site is None else y + rng.standard_normal(sites)[site], site, rows


def trained(x: Any, y: Any, site: Any, seed: int, members: Any) -> Model:
    """The model of a run on these rows."""
    import pandas as pd  # as a file is read

    classes = y.dtype.kind == "i"
    frame = pd.DataFrame(x, columns=[f"x{n}" for n in range(x.shape[1])]).assign(y=y)
    units = int(y.max()) + 1 if classes else 1
    dataset = {"features": "standard", "test_size": 0, "validation_size": 0.25}
    dataset |= {} if classes else {"target": "standard"}
    columns: dict[str, Any] = {"target": "y"}
    if site is not None:
        frame = frame.assign(site=site)
        columns["drop"] = ["site"]
        dataset["split"] = {"by": "group", "column": "site"}
    content = {
        "name": "coverage",
        "dataset": {**dataset, "columns": columns},
        "network": {
            "sizes": [32, units],
            "activations": ["relu", "softmax" if classes else "linear"],
        },
        "loss": "cross_entropy" if classes else "mean_squared",
        "training": {"optimizer": "adam", "learning_rate": 0.01, "epochs": 40, "batch_size": 32},
        "seed": seed,
        **({} if members is None else {"members": members}),
    }
    return nnrun.train(content, data=frame, results=None, threads=1).model


def counted(name: str, splits: int, members: Any) -> Iterator[tuple[float, Any, Any, Any]]:
    """For each level: whether rows are covered, their groups, and sizes in units of the target."""
    found: dict[float, list[tuple[Any, Any, Any]]] = {level: [] for level in LEVELS}
    x, y, site, count = made(name)
    for split in range(splits):
        order = np.random.default_rng([split, len(x)]).permutation(len(x))
        train, test = order[:count], order[count:]
        if site is not None:  # whole sites are new
            drawn = np.random.default_rng(split).permutation(site.max() + 1)
            new = np.isin(site, drawn[: len(drawn) // 3])
            train, test = np.flatnonzero(~new), np.flatnonzero(new)
        model = trained(x[train], y[train], None if site is None else site[train], split, members)
        predicted = model.predict(x[test]).ravel()
        for level, rows in found.items():
            covered = model.predict_covered(x[test], level)
            if covered.set is not None:
                right = [
                    label in labels for label, labels in zip(y[test], covered.set, strict=True)
                ]
                rows.append((np.array(right), y[test], np.array([*map(len, covered.set)])))
                continue
            right = (covered.low <= y[test]) & (y[test] <= covered.high)
            fifths = np.searchsorted(np.quantile(predicted, [0.2, 0.4, 0.6, 0.8]), predicted)
            group = fifths if site is None else site[test]
            rows.append((right, group, (covered.high - covered.low) / y.std()))
    for level, rows in found.items():
        yield level, *map(np.concatenate, zip(*rows, strict=True))


def main(splits: int) -> None:
    """Print a row for each data set and way to hold rows out."""
    heads = "".join(f" {level:.0%} | worst | size |" for level in LEVELS)
    print(f"| data | networks |{heads}\n| :-- | :-- |" + " --: | --: | --: |" * len(LEVELS))
    means: dict[tuple[str, float], list[float]] = {}
    for name in (*MADE, *REAL, "diabetes"):
        for networks, members in MEMBERS.items():
            cells = []
            for level, right, group, size in counted(name, splits, members):
                worst = min(right[group == number].mean() for number in np.unique(group))
                cells += [f"{100 * right.mean():.1f}", f"{100 * worst:.0f}", f"{size.mean():.2f}"]
                means.setdefault((networks, level), []).append(right.mean())
            print(f"| {name} | {networks} | {' | '.join(cells)} |", flush=True)
    for (networks, level), shares in means.items():
        print(f"{networks}, {level:.0%}: {np.mean(shares):.2%} on average over data sets")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(*numbers or [50])
