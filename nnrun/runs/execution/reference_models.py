"""The models of scikit-learn that a sweep trains beside its networks.

Their hyperparameters are scikit-learn's defaults but for two: 100 iterations are too few for
logistic regression, and 200 for the network, which would both end in a warning on many tables.
Distances, penalties and gradients depend on the units of features, so that three models have them
standardized; trees do not. `MLPRegressor` has its target standardized as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nnrun.errors import NnrunError
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import Diagnostic
from nnrun.runs.events import Listener
from nnrun.runs.execution.result import record_of, timing_of
from nnrun.runs.metrics import metrics_of_splits
from nnrun.runs.preparation.prepare import ENGINE, PreparedBeside
from nnrun.runs.record import RunResult, now

_MOST_ITERATIONS = 1000
_MOST_SEEDS = 2**32


def estimator_of(model: str, task: str, *, seed: int, images: bool, outputs: int) -> Any:
    """A model, by its name in configs, that is not trained yet.

    `task` is `regression` or `classification`; `images` is whether features are pixels, which have
    one unit already; `outputs` is the number of targets of a regression.
    """
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415  # slow to import
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    found = _MODELS[model](task == "classification", seed % _MOST_SEEDS)
    if model == "boosting" and outputs > 1:
        from sklearn.multioutput import MultiOutputRegressor  # noqa: PLC0415

        found = MultiOutputRegressor(found)
    scaled = model in _SCALED and not images
    return make_pipeline(StandardScaler(), found) if scaled else found


def fit(model: str, estimator: Any, x: Array, y: Array, weight: Array | None) -> None:
    """Train an estimator of this model; raises a ValueError if it refuses the data."""
    single = y.ndim == 2 and y.shape[1] == 1
    weighted = {}
    if weight is not None and model not in UNWEIGHTED:
        steps = getattr(estimator, "steps", ())
        weighted[f"{steps[-1][0]}__sample_weight" if steps else "sample_weight"] = weight
    estimator.fit(x, y[:, 0] if single else y, **weighted)


def outputs_of(estimator: Any, x: Array, classes: int) -> Array:
    """Probabilities (rows, classes) of a trained estimator; values (rows, outputs) of no classes.

    A class without a training row is unknown to the model.
    """
    if not classes:
        values: Array = estimator.predict(x).reshape(len(x), -1)
        return values
    outputs = np.zeros((len(x), classes))
    outputs[:, estimator.classes_] = estimator.predict_proba(x)
    return outputs


def _linear(classes: bool, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge  # noqa: PLC0415

    if classes:
        return LogisticRegression(max_iter=_MOST_ITERATIONS, random_state=seed)
    return Ridge(random_state=seed)


def _neighbors(classes: bool, seed: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor  # noqa: PLC0415

    return KNeighborsClassifier() if classes else KNeighborsRegressor()


def _forest(classes: bool, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # noqa: PLC0415

    kind = RandomForestClassifier if classes else RandomForestRegressor
    return kind(random_state=seed, n_jobs=1)


def _boosting(classes: bool, seed: int) -> Any:
    from sklearn.ensemble import (  # noqa: PLC0415
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return kind(random_state=seed)


def _mlp(classes: bool, seed: int) -> Any:
    from sklearn.compose import TransformedTargetRegressor  # noqa: PLC0415
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    if classes:
        return MLPClassifier(max_iter=_MOST_ITERATIONS, random_state=seed)
    network = MLPRegressor(max_iter=_MOST_ITERATIONS, random_state=seed)
    return TransformedTargetRegressor(network, transformer=StandardScaler())


# Those that do not take weights of rows.
UNWEIGHTED = ("neighbors",)
_SCALED = ("linear", "neighbors", "mlp")
_MODELS: dict[str, Callable[[bool, int], Any]] = {
    "linear": _linear,
    "neighbors": _neighbors,
    "forest": _forest,
    "boosting": _boosting,
    "mlp": _mlp,
}


# Training a model of scikit-learn, in memory; it has no weights and no history.


def train_beside(prepared: PreparedBeside, listener: Listener) -> RunResult:
    """Train the model and score it on each split; it cannot be stopped on the way.

    Raises: NnrunError if scikit-learn refuses the data, or its scores are not finite.
    """
    started = now()
    model = prepared.model
    dataset = prepared.dataset
    train = prepared.examples["train"]
    listener.started(prepared, 0)
    # Sums of several threads have no fixed order.
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = estimator_of(  # imports are no part of training
            model,
            dataset.task,
            seed=prepared.config.seed,
            images=len(dataset.shape) > 1,
            outputs=1 if dataset.y.ndim == 1 else dataset.y.shape[1],
        )
        begun = perf_counter()
        try:
            fit(model, estimator, train.x, train.y, train.sample_weight)
            trained = perf_counter()
            evaluations = {
                name: (None, outputs_of(estimator, part.x, len(dataset.classes)))
                for name, part in prepared.examples.items()
            }
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            raise NnrunError(
                f"scikit-learn cannot train '{model}' on these data: {reason}"
            ) from error
        ended = perf_counter()
        metrics = metrics_of_splits(prepared.task, prepared.examples, evaluations, prepared.metrics)
    main = prepared.task.main_metric
    if (metrics["train"] or {})[main] is None:
        raise NnrunError(
            f"the train {main} of '{model}' is not finite: the numbers of the target are too large"
        )
    said = dict.fromkeys(
        f"scikit-learn warns: {str(warning.message).partition(chr(10))[0]}" for warning in caught
    )
    if dataset.weights is not None and model in UNWEIGHTED:
        said[f"'{model}' trains without the weights of rows, which it does not have"] = None
    record = record_of(
        prepared,
        "completed",
        diagnostics=[Diagnostic("scikit_learn", text) for text in said],
        metrics=metrics,
        timing=timing_of(trained - begun, ended - trained, 0),
        engine=ENGINE,
        started=started,
    )
    return RunResult(record)
