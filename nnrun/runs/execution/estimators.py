"""The models of scikit-learn that a sweep trains beside its networks.

Their hyperparameters are scikit-learn's defaults but for two: 100 iterations are too few for
logistic regression, and 200 for the network, which would both end in a warning on many tables.
Distances, penalties and gradients depend on the units of features, so that three models have them
standardized; trees do not. `MLPRegressor` has its target standardized as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnrun.nn.signature import Array

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
