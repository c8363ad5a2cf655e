"""The metrics of a report: the loss, and the quality of the predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnrun.models.measured import measured
from nnrun.models.scores import Metrics, finite
from nnrun.models.task import Classification, Task
from nnrun.nn.losses import Loss, Weighted
from nnrun.nn.signature import Array
from nnrun.training.examples import PreparedSplit


@np.errstate(all="ignore")  # numbers that are not finite are left out of a report
def metrics_of(
    task: Task,
    loss: float,
    outputs: Array,
    y: Array,
    names: Sequence[str] = (),
    weight: Array | None = None,
) -> Metrics:
    """Loss and metrics of one split, from the network's outputs; `names` beside the usual ones."""
    return {"loss": finite(loss), **measured(task, outputs, y, names, weight)}


@np.errstate(all="ignore")
def baseline_of(
    task: Task, loss: Loss, train: PreparedSplit, part: PreparedSplit, names: Sequence[str] = ()
) -> Metrics:
    """The metrics of a model that ignores x and predicts the training mean, or the class shares.

    For classes it predicts the most frequent one, with the shares as probabilities. Where classes
    have weights, the loss is that of the shares by these weights: the smallest of any constant.
    """
    outputs = np.repeat(_mean(train.target, train.sample_weight), len(part), axis=0)
    if part.weight is None:
        value = loss.value(outputs, part.target)  # in float64, as the outputs are
    else:
        constant = np.repeat(_mean(train.target, train.weight), len(part), axis=0)
        value = Weighted(loss).value(constant, part.loss_target.astype(np.float64))
    if isinstance(task, Classification) and not task.probabilistic:
        task = Classification(task.classes, task.outputs, probabilistic=True)
    return metrics_of(task, value, outputs, part.y, names, part.sample_weight)


def _mean(target: Array, weight: Array | None) -> Array:
    """The mean target, (1, outputs)."""
    if weight is None:
        mean: Array = target.mean(axis=0, keepdims=True, dtype=np.float64)
        return mean
    exact = target.astype(np.float64, copy=False)
    return np.average(exact, axis=0, weights=weight.astype(np.float64))[np.newaxis]


def without_loss(metrics: Metrics) -> Metrics:
    """The metrics of a model that does not minimize the loss of the config."""
    return {key: value for key, value in metrics.items() if key != "loss"}
