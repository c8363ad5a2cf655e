"""Settings of random grids are those that each of them gives alone."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import product

import pytest

from nnrun.sweeps.planning import validate

CONFIG = """
dataset: {name: iris, features: standard, validation_size: 0.2}
network:
  layers:
    - {type: dense, units: 4, activation: tanh}
    - {type: dropout, rate: 0.1}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 60, batch_size: 8}
"""
# Values that fit any of the others, and some that come to the same.
VALUES = {
    "network.layers.0.units": [2, 3, 90],
    "network.layers.0.activation": ["tanh", "relu"],
    "network.layers.1": [
        {"type": "batch_norm"},
        {"type": "dropout"},
        {"type": "dropout", "rate": 0.2},
    ],
    "network.initializer": ["he_normal", {"type": "he_normal"}, "zeros"],
    "loss": ["cross_entropy", {"type": "cross_entropy"}, "mean_squared"],
    "training.iterations": [20, 60.0, 2000],
    "training.epochs": [1, 30],
    "training.batch_size": [4, 7, 32],
    "network.layers.1.rate": [0.2, 0.3, 0],
    "training.optimizer": [
        "sgd",
        {"type": "sgd"},
        "adam",
        *({"type": "sgd", "momentum": momentum} for momentum in (0, 0.9, 0.8)),
    ],
    "training.learning_rate": [
        0.1,
        0.2,
        *({"schedule": "cosine", "initial": initial} for initial in (0.1, 0.2, 1)),
    ],
    "training.dtype": ["float64", "float32"],
    "training.class_weight": [None, "balanced"],
    "training.evaluate_every": [None, 3],
    "dataset.test_size": [0.1, 15, 0.3],
    "dataset.validation_size": [10, 0.3],
    "dataset.split.seed": [1, 2],
    "dataset.features": ["standard", "none", []],
}


def word(key, *values):
    return f"{key}={','.join(map(json.dumps, values))}"


def runs_of(made):
    """Each variant by its runs, without what its place in a plan gives it."""
    return [
        (replace(variant, number=0, choice={}), [run.run_id for run in variant.runs()])
        for variant in made.variants
    ]


@pytest.mark.parametrize("most", [1, 500])
@pytest.mark.parametrize("number", range(12))
def test_each_setting_is_the_one_planned_alone(plan, write, monkeypatch, number, most):
    """With its config, estimate and run ids, in the order of the product, equal ones once.

    Whether it is made with the plan, or when it is needed.
    """
    monkeypatch.setattr(validate, "MOST_AT_ONCE", most)
    draw, file = random.Random(number), write("iris", CONFIG)
    keys = draw.sample(sorted(VALUES.keys() - {"dataset.split.seed"}), 3)
    grid = {key: draw.sample(VALUES[key], 2) for key in keys}
    together = runs_of(plan(file, *(word(key, *values) for key, values in grid.items())))
    alone = []
    for chosen in product(*grid.values()):
        (setting,) = runs_of(plan(file, *map(word, grid, chosen)))
        if setting[1] not in [ids for _, ids in alone]:
            alone.append(setting)
    assert alone == together


def test_seeds_of_splits_and_folds_are_runs_of_one_setting(plan, write):
    """In the grid's order of splits, with the ids that each run has alone."""
    file, sizes = write("iris", CONFIG), [4, 8]
    grid = {"dataset.split.seed": [2, 1], "training.batch_size": sizes, "dataset.fold": [3, 1]}
    words = [word(key, *values) for key, values in grid.items()]
    made = plan(file, "dataset.folds=3", *words)
    expected = [
        [
            next(plan(file, "dataset.folds=3", *map(word, grid, (seed, size, fold))).runs()).run_id
            for seed in (2, 1)
            for fold in (1, 3)
        ]
        for size in sizes
    ]
    assert expected == [[run.run_id for run in variant.runs()] for variant in made.variants]
