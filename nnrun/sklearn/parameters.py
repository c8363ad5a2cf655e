"""The parameters of an estimator as a config, and a run's config as parameters."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, inf
from pathlib import Path
from re import sub
from typing import Any

import numpy as np

from nnrun.config.schema.training import TrainingConfig
from nnrun.config.yaml.plain import plain
from nnrun.data.dataset import Dataset
from nnrun.errors import ConfigError, UsageError
from nnrun.models.files import MODEL
from nnrun.models.model import Model
from nnrun.runs.storage.integrity import refuse_changed
from nnrun.runs.storage.reading import read_run, refuse_damaged

# The activation of the output where a loss asks for one.
_OUTPUT = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}

# Epochs from one check for divergence to the next, if there are no other evaluations.
_SELDOM = 10


def config_of(estimator: Any, dataset: Dataset, seed: int, epochs: int | None) -> dict[str, Any]:
    """The config of an estimator's run on this data set; `epochs` replace its own length."""
    given = estimator.loss or _default_loss(dataset)
    loss = given if isinstance(given, str) else given.get("type")
    rows, held_out = len(dataset.x), 0
    training = {
        "optimizer": estimator.optimizer,
        "learning_rate": estimator.learning_rate,
        "epochs": epochs or (None if estimator.iterations is not None else estimator.epochs),
        "iterations": None if epochs else estimator.iterations,
        "batch_size": estimator.batch_size,
        "sampling": estimator.sampling,
        "clip_norm": estimator.clip_norm,
        "class_weight": _class_weight(estimator),
        "augment": estimator.augment,
        "dtype": estimator.dtype,
        "engine": estimator.engine,
        "evaluate_rows": "all",
    }
    if estimator.early_stopping:
        held_out = _held_out(rows, estimator.validation_fraction)
        rows -= held_out
    if isinstance(estimator.batch_size, int) and estimator.batch_size > 0:
        # As in scikit-learn's own estimators, a batch has at most all rows.
        training["batch_size"] = min(estimator.batch_size, max(1, rows))
        epochs_apart = 1 if estimator.early_stopping else _SELDOM
        training["evaluate_every"] = epochs_apart * max(1, -(-rows // estimator.batch_size))
    config: dict[str, Any] = plain(
        {
            "name": "estimator",
            "dataset": {
                "path": "arrays.npz",
                "test_size": 0,
                "validation_size": estimator.validation_fraction if estimator.early_stopping else 0,
                "stratify": bool(held_out) and _divides(dataset, held_out),
            },
            "network": {
                "initializer": estimator.initializer,
                "layers": [*_hidden(estimator), _output(estimator, dataset, loss)],
            },
            "loss": given,
            "training": training,
            "seed": seed,
        }
    )
    return config


def in_parameters(error: ConfigError, layers: Any) -> ConfigError:
    """The mistakes in the config of an estimator, at the parameters that they come from."""
    hidden = len(layers) if hasattr(layers, "__len__") else 1
    named = {
        f"network.layers[{hidden}].activation": "output_activation",
        "dataset.validation_size": "validation_fraction",
        "seed": "random_state",
    }
    return ConfigError(
        replace(
            problem,
            path=named.get(problem.path, sub(r"^(training|network)\.", "", problem.path)),
        )
        for problem in error.problems
    )


def parameters_of(folder: Path, model: Model) -> dict[str, Any]:
    """The parameters that train a network as in a run.

    Raises:
        UsageError: the run is damaged, or has no report.
    """
    run = read_run(folder)
    refuse_damaged(run, folder)
    if run is None or run.record is None:
        problem = "there is no report" if run is None else run.problem
        raise UsageError(f"{folder}: {problem}; a model alone does not say how it was trained")
    refuse_changed(folder, run.record, MODEL)
    config = run.record.config
    layers = config["network"]["layers"]
    training = {key: config["training"][key] for key in _TRAINING if key in config["training"]}
    stopping = config["training"].get("early_stopping")
    if stopping is None:
        training["n_iter_no_change"] = inf
    else:
        # A run ends after this many evaluations without a gain, an estimator after one more.
        training |= {"early_stopping": True, "n_iter_no_change": max(stopping["patience"] - 1, 1)}
        training |= {"validation_fraction": config["dataset"]["validation_size"], "tol": 0.0}
    return {
        **training,
        "layers": tuple(layers[:-1]),
        "output_activation": layers[-1].get("activation"),
        "loss": config["loss"],
        "initializer": config["network"].get("initializer", "glorot_uniform"),
        "input_shape": model.layout.shape if len(model.layout.shape) == 3 else None,
        "random_state": config["seed"],
        "class_weight": _by_label(config["training"].get("class_weight"), model),
    }


def _class_weight(estimator: Any) -> Any:
    """The weights of classes as in the config, where a class is a number as text."""
    given = estimator.class_weight
    if not isinstance(given, dict):
        return given
    if not hasattr(estimator, "classes_"):
        raise ValueError("class_weight: there are no classes, this is regression")
    numbers = {label: str(number) for number, label in enumerate(estimator.classes_.tolist())}
    unknown = [label for label in given if label not in numbers]
    if unknown:
        raise ValueError(f"class_weight: {unknown[0]!r} is none of the classes {list(numbers)}")
    return {numbers[label]: weight for label, weight in given.items()}


def _by_label(weights: Any, model: Model) -> Any:
    """The weights of classes of a run, by the labels that its model predicts."""
    if not isinstance(weights, dict):
        return weights
    labels = dict(zip(model.layout.classes, model.classes.tolist(), strict=True))
    return {labels[name]: weight for name, weight in weights.items()}


_TRAINING = [
    name
    for name in TrainingConfig.model_fields
    if name not in ("early_stopping", "evaluate_every", "evaluate_rows", "watch")
]


def _held_out(rows: int, fraction: Any) -> int:
    """The rows that early stopping holds out, as `make_split` counts them; 0 for no number."""
    if isinstance(fraction, float) and 0 < fraction < 1:
        return ceil(rows * fraction)
    return fraction if isinstance(fraction, int) and 0 < fraction < rows else 0


def _divides(dataset: Dataset, held_out: int) -> bool:
    """Whether each class can have its share of the rows held out."""
    if dataset.task == "regression":
        return False
    sizes = np.unique(dataset.y, return_counts=True)[1]
    return bool(sizes.min() > 1 and min(held_out, len(dataset.y) - held_out) >= len(sizes))


def _default_loss(dataset: Dataset) -> str:
    if dataset.task == "regression":
        return "mean_squared"
    return "binary_cross_entropy" if len(dataset.classes) == 2 else "cross_entropy"


def _hidden(estimator: Any) -> list[Any]:
    """Dense layers where `layers` has numbers; anything else is as in a config."""
    layers = plain(estimator.layers)
    layers = list(layers) if isinstance(layers, list) else [layers]
    dense = [index for index, layer in enumerate(layers) if not isinstance(layer, dict)]
    names = estimator.activations
    names = [names] * len(dense) if isinstance(names, str) else list(names or ())
    if len(names) != len(dense):
        counts = f"{len(names)} for {len(dense)} layers"
        raise ValueError(f"activations: one name, or one for each number in layers; not {counts}")
    for index, name in zip(dense, names, strict=True):
        layers[index] = {"type": "dense", "units": layers[index], "activation": name}
    return layers


def _output(estimator: Any, dataset: Dataset, loss: Any) -> dict[str, Any]:
    single = loss == "binary_cross_entropy" and dataset.outputs == 2
    default = "softmax" if dataset.task == "classification" else "linear"
    activation = estimator.output_activation or _OUTPUT.get(loss, default)
    units = 1 if single and dataset.task == "classification" else dataset.outputs
    return {"type": "dense", "units": units, "activation": activation}
