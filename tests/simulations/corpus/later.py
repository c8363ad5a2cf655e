"""Twenty more runs, of which recipes and expectations were written once the corpus had been seen
whole, and before the rules were changed by what it showed. They were run once, after that.
"""

from __future__ import annotations

from tests.simulations.corpus.recipes import OVERFITTING, Recipe, config, ill

_SIGMOID = {
    "network": {"sizes": [8, 1], "activations": ["tanh", "sigmoid"]},
    "loss": "binary_cross_entropy",
}
_STOPPED = {"validation_size": 0.2}
_MOONS = {"name": "moons", "rows": 400, "noise": 0.25}

FINE = (
    Recipe("cars, a linear model", config("autompg", [], 0.02, adam=False)),
    Recipe("moons by a sigmoid", config(_MOONS, [8], 0.01) | _SIGMOID),
    Recipe("wine by gradient descent", config("wine", [6], 0.05, adam=False)),
    Recipe("tumours in large batches", config("breast_cancer", [8, 8], 0.01, batch=64)),
    Recipe("curve by gradient descent", config("curve", [16], 0.05, adam=False, epochs=80)),
    Recipe("noisy classes, three layers", config("noisy classes", [4, 4], 0.002, epochs=20)),
    Recipe("houses by Huber's loss", config("boston", [16], 0.005, loss="huber")),
    Recipe("three classes, stopped early", config("three classes", [16], 0.01, dataset=_STOPPED,
           evaluate_every=40, early_stopping={"patience": 8})),
    Recipe("a rare class, with a threshold", config("rare but clear", [8], 0.005,
           dataset=_STOPPED) | {"decide": {"maximize": "f1"}}),
    Recipe("digits, relu and batches of 64", config("digits", [64], 0.005, activation="relu",
           features="minmax", batch=64)),
)  # fmt: skip

ILL = (
    ill("a rare disease by a sigmoid", {"unequal_classes"}, set(),
        config("rare", [8], 0.005, epochs=15) | _SIGMOID),
    ill("raw columns of cars", {"feature_scale"}, {"learning_rate", "dead_units"},
        config("autompg", [16], 0.001, features="none", adam=False, activation="relu")),
    ill("a thousandth of the rate, values", {"learning_rate"}, {"too_few_iterations"},
        config("curve", [16], 0.00005, adam=False, epochs=10)),
    ill("a rate too large for wine", {"learning_rate"}, {"dead_units", "far_apart"},
        config("wine", [8], 1.0)),
    ill("a rate too large for digits", {"learning_rate"}, {"dead_units"},
        config("digits", [32], 5.0, adam=False, activation="relu", features="minmax")),
    ill("values memorised", {"far_apart", "many_parameters"}, OVERFITTING | {"few_rows"},
        config("diabetes", [64, 64], 0.005, epochs=300, dataset={"test_size": 0.7})),
    ill("three shuffled classes", {"unknown_cause"}, set(),
        config("three classes, shuffled", [2], 0.003, epochs=20)),
    ill("miles per gallon in their own units", {"target_scale"},
        {"learning_rate", "too_few_iterations"},
        config("autompg", [16], 0.001, target="none", epochs=15)),
    ill("five iterations", {"too_few_iterations"}, set(),
        config("breast_cancer", [16], 0.001, iterations=5)),
    ill("a column that is the value", {"leak"}, set(),
        config("leaking values", [16], 0.005, epochs=120)),
)  # fmt: skip
