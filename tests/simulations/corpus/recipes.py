"""The corpus: twenty runs that are fine and twenty that are ill, with what must be said of each.

Recipes were written before the rules of `nnrun/runs/diagnosis` that they test. Of both kinds, the
ten with the smallest digests of their names were looked at while the rules were written; the
others were run once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

# Made data: each a function of a fixed seed, none chosen by its results.

Made = tuple[np.ndarray, np.ndarray]

SEED = 24


def _labels(rows: int, share: float, strength: float, stream: int) -> Made:
    """Two classes by a logistic model of six columns: a share of the second one, roughly."""
    rng = np.random.default_rng([SEED, stream])
    x = rng.normal(size=(rows, 6))
    weights = np.array([3.0, -2.0, 1.0, 1.0, 0.0, 0.0])
    score = strength * (x @ weights) / np.linalg.norm(weights) + rng.logistic(size=rows)
    return x, (score > np.quantile(score, 1 - share)).astype(np.int64)


def _classes(rows: int, distance: float, stream: int, counts: tuple[float, ...]) -> Made:
    """Normal clouds around points at random directions, `distance` from the middle."""
    rng = np.random.default_rng([SEED, stream])
    y = rng.choice(len(counts), size=rows, p=counts)
    directions = rng.normal(size=(len(counts), 8))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return rng.normal(size=(rows, 8)) + distance * directions[y], y


def _values(rows: int, noise: float, stream: int) -> Made:
    """A curved function of five columns, with standard deviation of about 1, and noise."""
    rng = np.random.default_rng([SEED, stream])
    x = rng.normal(size=(rows, 5))
    y = 0.7 * x[:, 0] + np.sin(2 * x[:, 1]) - 0.3 * x[:, 2] * x[:, 3]
    return x, y + noise * rng.normal(size=rows)


def _shuffled(made: Made, stream: int) -> Made:
    return made[0], np.random.default_rng([SEED, stream]).permutation(made[1])


def _outliers() -> Made:
    x, y = _values(600, 0.3, 7)
    rng = np.random.default_rng([SEED, 8])
    y[rng.choice(600, size=6, replace=False)] *= 1000.0
    return x, y


def _leak() -> Made:
    x, y = _labels(500, 0.4, 1.0, 9)
    return np.column_stack([x, 3.0 * y + 1.0]), y


def _leaking_values() -> Made:
    x, y = _values(500, 0.3, 17)
    return np.column_stack([x, 2.0 * y + 3.0]), y


def _skewed_columns() -> Made:
    x, y = _values(500, 0.3, 10)
    return np.column_stack([np.exp(x[:, :2]), x[:, 2:], np.full(len(x), 4.0)]), y


MADE: dict[str, Callable[[], Made]] = {
    "fraud": lambda: _labels(4000, 0.013, 1.4, 1),
    "rare": lambda: _labels(1500, 0.05, 1.2, 2),
    "weak": lambda: _labels(3000, 0.3, 0.5, 3),
    "coins": lambda: _shuffled(_labels(800, 0.5, 1.0, 4), 4),
    "coins, few": lambda: _shuffled(_labels(150, 0.5, 1.0, 5), 5),
    "few": lambda: _labels(120, 0.5, 1.5, 6),
    "outliers": _outliers,
    "leak": _leak,
    "curve": lambda: _values(800, 0.3, 11),
    "noisy curve": lambda: _values(1500, 1.5, 12),
    "noisy classes": lambda: _labels(1500, 0.5, 1.0, 13),
    "three classes": lambda: _classes(900, 3.0, 14, (0.4, 0.35, 0.25)),
    "three classes, shuffled": lambda: _shuffled(_classes(900, 3.0, 18, (0.4, 0.35, 0.25)), 18),
    "leaking values": _leaking_values,
    "rare but clear": lambda: _classes(1500, 4.0, 15, (0.9, 0.1)),
    "rare, weighted": lambda: _labels(2000, 0.08, 2.0, 16),
    "skewed columns": _skewed_columns,
}


# What is measured and not concluded: true of any ill run that shows it.
FACTS = {
    "worse_than_baseline",
    "one_prediction",
    "majority_share",
    "sure_and_wrong",
    "hardly_moved",
    "hardly_better",
}
OVERFITTING = {"far_apart", "trained_past_the_best", "many_parameters"}
_CLASSES = {
    "iris": 3,
    "wine": 3,
    "breast_cancer": 2,
    "digits": 10,
    "three classes": 3,
    "three classes, shuffled": 3,
}
_VALUES = {
    "leaking values",
    "boston",
    "diabetes",
    "autompg",
    "outliers",
    "curve",
    "noisy curve",
    "skewed columns",
}


@dataclass(frozen=True)
class Recipe:
    """A run.

    Args:
        name: what is done.
        config: of the run; a made data set is named by `made`.
        told: kinds of warnings, one of which must be there; empty for a run that is fine.
        true: further kinds that are true here. Any other one is false advice.
    """

    name: str
    config: dict[str, Any]
    told: frozenset[str] = frozenset()
    true: frozenset[str] = frozenset()

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.told


def config(data: str | dict[str, Any], hidden: Sequence[int], rate: float, *,
            activation: str = "tanh", adam: bool = True, epochs: int = 40, batch: int = 16,
            features: Any = "standard", target: str = "standard", dataset: Any = None,
            loss: str = "", initializer: str = "", **training: Any) -> dict[str, Any]:  # fmt: skip
    """A network of dense layers, trained by Adam or plain gradient descent."""
    name = data if isinstance(data, str) else data["name"]
    values = name in _VALUES
    source = {"name": data} if isinstance(data, str) else dict(data)
    if name in MADE:
        source = {"made": name, "task": "regression" if values else "classification"}
    last = 1 if values else _CLASSES.get(name, 2)
    scaled = {"target": target} if values else {}
    network: dict[str, Any] = {
        "sizes": [*hidden, last],
        "activations": [*[activation] * len(hidden), "linear" if values else "softmax"],
    }
    if initializer:
        network["initializer"] = initializer
    length = {} if "iterations" in training else {"epochs": epochs}
    return {
        "dataset": {**source, "test_size": 0.25, "features": features, **scaled, **(dataset or {})},
        "network": network,
        "loss": loss or ("mean_squared" if values else "cross_entropy"),
        "training": {"optimizer": "adam" if adam else "sgd", "learning_rate": rate,
                     "batch_size": batch, **length, **training},
        "seed": 7,
    }  # fmt: skip


def ill(name: str, told: set[str], true: set[str], content: dict[str, Any]) -> Recipe:
    """A run of which one of `told` must be said, and `true` may be."""
    return Recipe(name, content, frozenset(told), frozenset(told | true | FACTS))


_NOISY_MOONS = {"name": "moons", "rows": 800, "noise": 0.4}
_STOPPED = {"validation_size": 0.2}

FINE = (
    Recipe("iris", config("iris", [8], 0.01)),
    Recipe("wine", config("wine", [8], 0.01)),
    Recipe("tumours", config("breast_cancer", [16], 0.003, activation="relu")),
    Recipe("tumours, a linear model", config("breast_cancer", [], 0.05, adam=False)),
    Recipe("digits", config("digits", [32], 0.003, activation="relu", features="minmax")),
    Recipe("digits, a scheduled rate", config("digits", [32], {"schedule": "cosine",
           "initial": 0.003}, features="minmax", epochs=20)),  # type: ignore[arg-type]
    Recipe("moons", config({"name": "moons", "rows": 600, "noise": 0.2}, [16], 0.01)),
    Recipe("moons that overlap", config(_NOISY_MOONS, [16], 0.01)),
    Recipe("diabetes, a linear model", config("diabetes", [], 0.01, adam=False)),
    Recipe("houses", config("boston", [16], 0.003)),
    Recipe("cars, stopped early", config("autompg", [16, 8], 0.005, dataset=_STOPPED,
           evaluate_every=20, early_stopping={"patience": 10})),
    Recipe("curve", config("curve", [32], 0.005, epochs=60)),
    Recipe("curve with much noise", config("noisy curve", [8], 0.003)),
    Recipe("classes with much noise", config("noisy classes", [4], 0.003)),
    Recipe("three classes", config("three classes", [8], 0.01)),
    Recipe("a rare class that is clear", config("rare but clear", [8], 0.005)),
    Recipe("a rare class with weights", config("rare, weighted", [8], 0.003,
           class_weight="balanced")),
    Recipe("skewed columns, one constant", config("skewed columns", [16], 0.003)),
    Recipe("cars by the absolute error", config("autompg", [16], 0.003, loss="mean_absolute")),
    Recipe("iris by gradient descent", config("iris", [8], 0.05, adam=False, epochs=100)),
)  # fmt: skip

ILL = (
    ill("fraud", {"unequal_classes"}, set(), config("fraud", [16], 0.003)),
    ill("a rare disease", {"unequal_classes"}, set(), config("rare", [8], 0.02, adam=False)),
    ill("accuracy stays, log loss falls", {"weak_signal"}, set(), config("weak", [4], 0.002)),
    ill("a thousandth of the rate", {"learning_rate"}, {"too_few_iterations"},
         config("breast_cancer", [16], 0.0001, adam=False, epochs=10)),
    ill("a thousandth of Adam's rate", {"learning_rate"}, {"too_few_iterations"},
         config("digits", [32], 3e-6, features="minmax", epochs=10)),
    ill("a rate that diverges", {"learning_rate"}, set(),
         config("boston", [16], 3.0, adam=False)),
    ill("a rate that leaves it stuck", {"learning_rate"}, {"dead_units"},
         config("breast_cancer", [16], 3.0, activation="relu")),
    ill("memorised", {"far_apart"}, OVERFITTING | {"few_rows"},
         config("few", [64, 64], 0.01, activation="relu", epochs=300)),
    ill("few rows", {"few_rows", "many_parameters"}, OVERFITTING,
         config("diabetes", [64], 0.01, epochs=400, dataset={"test_size": 0.8})),
    ill("few iterations", {"too_few_iterations"}, set(),
         config("boston", [16], 0.003, adam=False, iterations=30, batch=1)),
    ill("less than an epoch", {"too_few_iterations"}, set(),
         config("digits", [32], 0.001, features="minmax", iterations=20)),
    ill("raw columns of houses", {"feature_scale"}, {"learning_rate", "dead_units"},
         config("boston", [16], 0.003, features="none", adam=False, activation="relu")),
    ill("raw columns of wine", {"feature_scale"}, {"learning_rate", "dead_units"},
         config("wine", [8], 0.05, features="none", adam=False)),
    ill("a target in its own units", {"target_scale"}, {"learning_rate", "too_few_iterations"},
         config("diabetes", [16], 0.003, target="none", epochs=20)),
    ill("dead units", {"dead_units"}, {"learning_rate", "target_scale"},
         config("boston", [16], 0.03, target="none", adam=False, activation="relu")),
    ill("zeros as initial weights", {"dead_units"}, set(),
         config("digits", [32], 0.003, activation="relu", features="minmax", epochs=10,
                 initializer="zeros")),
    ill("shuffled labels", {"unknown_cause"}, set(), config("coins", [2], 0.003, epochs=20)),
    ill("shuffled labels, memorised", {"far_apart"}, OVERFITTING,
         config("coins, few", [64, 64], 0.01, activation="relu", epochs=300)),
    ill("outliers", {"outliers"}, {"target_scale"}, config("outliers", [16], 0.003)),
    ill("a column that is the target", {"leak"}, set(), config("leak", [8], 0.01)),
)  # fmt: skip


def looked_at(recipes: Sequence[Recipe]) -> list[Recipe]:
    """The half by which the rules were written."""
    return sorted(recipes, key=_digest)[: len(recipes) // 2]


def held_out(recipes: Sequence[Recipe]) -> list[Recipe]:
    """The other half."""
    return sorted(recipes, key=_digest)[len(recipes) // 2 :]


def _digest(recipe: Recipe) -> str:
    return sha256(recipe.name.encode()).hexdigest()
