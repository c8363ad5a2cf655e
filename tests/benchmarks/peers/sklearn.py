"""scikit-learn: its linear SGD for W1 and W2 (one-against-rest there), its MLP otherwise."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor

from tests.benchmarks.contest import TimedRun
from tests.benchmarks.works import Dense, Work

HIDDEN = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}


def prepare(work: Work) -> TimedRun | None:
    if not all(isinstance(layer, Dense) for layer in work.layers):
        return None
    *hidden, _ = work.layers
    epochs = 1000 if not hidden else max(1, work.few_iterations * work.batch_size // work.rows)
    model = _mlp(work, hidden, epochs) if hidden else _linear(work, epochs)
    x, target = work.data
    y = target.ravel() if work.loss == "mean_squared" else target.argmax(axis=1)

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, y)

    return TimedRun(run, epochs * (work.rows // work.batch_size))


def _linear(work: Work, epochs: int) -> Any:
    settings = {
        "penalty": None,
        "learning_rate": "constant",
        "eta0": work.rate,
        "max_iter": epochs,
        "tol": None,
    }
    if work.loss == "mean_squared":
        return SGDRegressor(**settings)
    return SGDClassifier(loss="log_loss", n_jobs=1, **settings)


def _mlp(work: Work, hidden: list[Dense], epochs: int) -> Any:
    kind = MLPRegressor if work.loss == "mean_squared" else MLPClassifier
    return kind(
        hidden_layer_sizes=[layer.units for layer in hidden],
        activation=HIDDEN[hidden[0].activation],
        solver="sgd",
        alpha=0.0,
        batch_size=work.batch_size,
        learning_rate_init=work.rate,
        momentum=0.0,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=epochs + 1,
    )
