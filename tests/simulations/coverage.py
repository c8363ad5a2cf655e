"""`python -m tests.simulations.coverage [SPLITS]`: what intervals and sets cover.

Twenty data sets, each divided anew for every split; one network with a validation split, or eight
with rows of their own. Rows that are new to all are counted, and those of the group that has least
(a fifth of the predictions, a class, or a site); sites count the same each.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

import nnrun
from nnrun.models.model import Model

LEVELS, MOST_ROWS = (0.8, 0.9, 0.95), 1000
MEMBERS = {"one network": None, "eight, own rows": {"number": 8, "validation": "own"}}
REAL = ("iris", "wine", "breast_cancer", "digits", "diabetes")
# Of made data: the kind, the noise or the cuts between classes, rows to train on, and sites.
MADE: dict[str, tuple[str, Any, int, int]] = {
    "even noise": ("normal", 0.5, 400, 0), "no noise": ("normal", 0.0, 400, 0),
    "uneven noise": ("uneven", 1.0, 400, 0), "noise by size": ("growing", 1.0, 400, 0),
    "skewed": ("skewed", 1.0, 400, 0), "heavy tails": ("heavy", 0.5, 400, 0),
    "few rows": ("normal", 0.5, 80, 0), "few rows, heavy": ("heavy", 0.5, 80, 0),
    "sites": ("normal", 0.3, 400, 240), "sites, heavy": ("heavy", 0.5, 400, 240),
    "2 classes": ("classes", [0.0], 400, 0), "2 classes, 1 in 12": ("classes", [1.8], 400, 0),
    "3 classes, few": ("classes", [-0.5, 0.5], 80, 0), "4 classes": ("classes", [-1, 0, 1], 400, 0),
    "6 classes, unequal": ("classes", [-2, 0, 1.2, 1.7, 2.1], 400, 0),
}  # fmt: skip
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
    if name not in MADE:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        return x[:MOST_ROWS], y[:MOST_ROWS], None, min(len(x), MOST_ROWS) // 2
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
    classes, frame = y.dtype.kind == "i", pd.DataFrame(x).add_prefix("x").assign(y=y)
    dataset: dict[str, Any] = {"test_size": 0, "validation_size": 0.25, "columns": {"target": "y"}}
    if site is not None:
        frame = frame.assign(site=site)
        dataset["split"] = {"by": "group", "column": "site"}
    content = {
        "name": "coverage",
        "dataset": {"features": "standard", "target": "none" if classes else "standard", **dataset},
        "network": {"sizes": [32, int(y.max()) + 1 if classes else 1],
                    "activations": ["relu", "softmax" if classes else "linear"]},
        "loss": "cross_entropy" if classes else "mean_squared",
        "training": {"optimizer": "adam", "learning_rate": 0.01, "epochs": 40, "batch_size": 32},
        "seed": seed, **({} if members is None else {"members": members}),
    }  # fmt: skip
    return nnrun.train(content, data=frame, results=None, threads=1).model


def counted(name: str, splits: int, members: Any) -> dict[float, tuple[Any, Any, Any]]:
    """At each level whether rows are covered, their groups, and sizes in spreads of the target."""
    rows: dict[float, list[tuple[Any, Any, Any]]] = {level: [] for level in LEVELS}
    x, y, site, count = made(name)
    for split in range(splits):
        rng = np.random.default_rng([split, len(x)])
        train, test = np.split(rng.permutation(len(x)), [count])
        if site is not None:  # whole sites are new
            sites = np.unique(site)
            new = np.isin(site, rng.choice(sites, len(sites) // 3, replace=False))
            train, test = np.flatnonzero(~new), np.flatnonzero(new)
        model = trained(x[train], y[train], None if site is None else site[train], split, members)
        predicted, truth = model.predict(x[test]).ravel(), y[test]
        group = np.searchsorted(np.quantile(predicted, [0.2, 0.4, 0.6, 0.8]), predicted)
        group = truth if model.layout.classes else group if site is None else site[test]
        for level, parts in rows.items():
            found = model.predict_covered(x[test], level)
            if found.set is None:
                right = (found.low <= truth) & (truth <= found.high)
                parts.append((right, group, (found.high - found.low) / y.std()))
            else:
                right = [label in labels for label, labels in zip(truth, found.set, strict=True)]
                parts.append((np.array(right), group, np.array([*map(len, found.set)])))
    return {level: tuple(map(np.concatenate, zip(*rows[level], strict=True))) for level in LEVELS}


def main(splits: int = 50) -> None:
    """Print a row for each data set and way to hold rows out."""
    heads = "".join(f" {level:.0%} | worst | size |" for level in LEVELS)
    print(f"| data | networks |{heads}\n| :-- | :-- |" + " --: | --: | --: |" * len(LEVELS))
    for name in (*MADE, *REAL):
        for networks, members in MEMBERS.items():
            cells = []
            for right, group, size in counted(name, splits, members).values():
                shares = [right[group == each].mean() for each in np.unique(group)]
                mean = np.mean(shares if name.startswith("sites") else right)
                cells += [f"{100 * mean:.1f}", f"{100 * min(shares):.0f}", f"{size.mean():.2f}"]
            print(f"| {name} | {networks} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
