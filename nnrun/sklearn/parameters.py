"""The parameters of an estimator as a config, and a run's config as parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf
from numbers import Integral, Real
from pathlib import Path
from re import sub
from typing import Any

import numpy as np

from nnrun.config.schema.training import TrainingConfig
from nnrun.config.source_map import plain
from nnrun.data.dataset import Dataset
from nnrun.errors import ConfigError, UsageError
from nnrun.models import MODEL
from nnrun.models.model import Model
from nnrun.models.task import Regression
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.storage.reading import read_run, refuse_changed, refuse_damaged
from nnrun.training.state import TrainingState, live_arrays, network_arrays
from nnrun.training.stopping import LossCurve, NoImprovement

# One fit of an estimator: a run followed by epochs, which ends as scikit-learn's networks do.

_SCORES = {"classification": "validation_accuracy", "regression": "validation_r2"}


@dataclass(frozen=True)
class ScoredRegression(Regression):
    """Regression whose R² is followed too."""

    def quick_metrics(
        self, outputs: Array, y: Array, weight: Array | None = None
    ) -> dict[str, Array]:
        """R² is the mean of those of the outputs, as in scikit-learn's `r2_score`."""
        by_row = 1.0 if weight is None else weight[:, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            error = (by_row * (self.decode(outputs) - y) ** 2).sum(axis=-2)
            mean = y.mean(axis=0) if weight is None else np.average(y, axis=0, weights=weight)
            spread = (by_row * (y - mean) ** 2).sum(axis=0)
            # Without spread all or nothing is explained.
            r2 = np.where(spread > 0, 1 - error / spread, np.where(error > 0, 0.0, 1.0))
        return {**super().quick_metrics(outputs, y, weight), "r2": r2.mean(axis=-1)}


class Fitting(Execution):
    """A run from arrays in memory.

    Args:
        prepared: what to train.
        rule: when to stop, by the losses of epochs or by the score of the validation split.
        checked: as for `Execution`.
    """

    def __init__(self, prepared: Prepared, rule: NoImprovement, *, checked: bool = False) -> None:
        self._rule = rule
        by_loss, task = rule.monitor == "loss", prepared.task
        if rule.monitor == "validation_r2" and isinstance(task, Regression):
            task = ScoredRegression(task.scale, task.unscale)
        super().__init__(
            prepared,
            checked=checked,
            task=task,
            stopping=None if by_loss else rule,
            curve=LossCurve(prepared.batches_per_epoch, rule if by_loss else None),
        )

    @property
    def rule(self) -> NoImprovement:
        """Rule of early stopping with what it has counted."""
        by_score = self.trainer.stopping
        return by_score if isinstance(by_score, NoImprovement) else self._rule

    @property
    def curve(self) -> list[float]:
        """The loss of each epoch."""
        assert self.trainer.curve is not None
        return self.trainer.curve.values

    def go_on_from(self, before: TrainingState, *, optimizer: bool) -> None:
        """Begin with the weights of an earlier fit, and with its optimizer's memory if wanted."""
        trainer, here = self.trainer, self.trainer.snapshot()
        weights = {name: before.arrays[name] for name in network_arrays(trainer.network)}
        arrays, values = {**here.arrays, **weights}, dict(here.values)
        if optimizer:
            memory = live_arrays(trainer.network, trainer.optimizer)
            arrays |= {name: before.arrays[name] for name in memory if name in before.arrays}
            values["optimizer_steps"] = before.values["optimizer_steps"]
        if trainer.optimizer.average is not None:
            arrays |= {f"optimizer.average.{name}": array for name, array in weights.items()}
        if trainer.stopping is not None:
            arrays |= {f"best.{name}": array for name, array in weights.items()}
        trainer.restore(TrainingState(arrays, values))
        trainer.last_good = trainer.snapshot()


def dense_parameters(network: Network) -> tuple[list[Array], list[Array]]:
    """Weights (inputs, units) and biases (units,) of each layer, zeros where it has none.

    Raises:
        AttributeError: there are parameters of other layers than dense ones.
    """
    weights, biases = [], []
    for block in network.blocks:
        known = {layer.type: layer.parameters[0].value for layer in block if layer.parameters}
        learns = any(layer.learns for layer in block)
        if learns and list(known) not in (["matmul"], ["matmul", "bias"]):
            raise AttributeError(
                "coefs_ and intercepts_ are of networks of dense layers alone; network_.parameters "
                "has those of any layer, by name"
            )
        if learns:
            weights.append(known["matmul"])
            biases.append(known.get("bias", np.zeros(known["matmul"].shape[1], network.dtype)))
    return weights, biases


def stopping_of(
    estimator: Any, dataset: Dataset, before: NoImprovement | None = None
) -> NoImprovement:
    """Counts epochs without a gain of `tol`, in the score of held-out rows or in the loss.

    A fit that continues the last one starts with its counts, `before`.

    Raises:
        ValueError: a parameter cannot be used.
    """
    scored = bool(estimator.early_stopping)
    rule = NoImprovement(
        monitor=_SCORES[dataset.task] if scored else "loss",
        larger_is_better=scored,
        patience=_patience(estimator.n_iter_no_change),
        restore_best=scored,
        tolerance=not_negative("tol", estimator.tol),
    )
    if before is None or before.monitor != rule.monitor:
        return rule
    # Training that has ended may find one epoch that gains.
    return replace(rule, best=before.best, waited=min(before.waited, rule.patience))


def not_negative(name: str, value: Any) -> float:
    """A parameter that is a number of at least 0.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < inf:
        raise ValueError(f"{name}: {value!r} is not a number of at least 0")
    return float(value)


def _patience(value: Any) -> float:
    if isinstance(value, Real) and float(value) == inf:
        return inf
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        message = "is neither a whole number greater than 0 nor infinite"
        raise ValueError(f"n_iter_no_change: {value!r} {message}")
    return int(value)


# The activation of the output where a loss asks for one.
_OUTPUT = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "poisson": "softplus"}

# Epochs from one check for divergence to the next, if there are no other evaluations.
_SELDOM = 10


def config_of(estimator: Any, dataset: Dataset, seed: int, epochs: int | None) -> dict[str, Any]:
    """The config of an estimator's run on this data set; `epochs` replace its own length."""
    own = isinstance(estimator.members, dict) and estimator.members.get("validation") == "own"
    if own and not estimator.early_stopping:
        raise ValueError("members: validation rows of their own need early_stopping=True")
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
        "average": estimator.average,
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
            "members": estimator.members,
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
        "members": config.get("members", 1),
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
