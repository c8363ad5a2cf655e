"""One fit of an estimator: a run followed by epochs, which ends as scikit-learn's networks do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from numbers import Integral, Real
from typing import Any

import numpy as np

from nnrun.data.dataset import Dataset
from nnrun.models.task import Regression
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.early_stopping import NoImprovement
from nnrun.training.loss_curve import LossCurve
from nnrun.training.state import TrainingState, live_arrays, network_arrays

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
        """With what it has counted."""
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
