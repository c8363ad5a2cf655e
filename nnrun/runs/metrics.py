"""The metrics of a report: the loss, and the quality of the predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np

from nnrun.config.names import SPLITS
from nnrun.models.scores import Metrics, finite, measured, together, with_reasons
from nnrun.models.task import Classification, Task
from nnrun.nn.losses import Loss, Weighted
from nnrun.nn.signature import Array
from nnrun.training.state import PreparedSplit

Evaluation = tuple[float | None, Array]
"""The loss of a split, None of a model that does not minimize it; and the outputs for its rows."""


def metrics_of_splits(
    task: Task,
    examples: Mapping[str, PreparedSplit],
    evaluations: Mapping[str, Evaluation],
    names: Sequence[str] = (),
) -> dict[str, Metrics | None]:
    """`metrics_of` each split; None for one that does not exist, or was not evaluated."""
    found: dict[str, Metrics | None] = dict.fromkeys(SPLITS)
    for name, (loss, outputs) in evaluations.items():
        part = examples[name]
        found[name] = metrics_of(task, loss, outputs, part.y, names, part.sample_weight)
    return found


@np.errstate(all="ignore")  # numbers that are not finite have a reason in their place
def metrics_of(
    task: Task,
    loss: float | None,
    outputs: Array,
    y: Array,
    names: Sequence[str] = (),
    weight: Array | None = None,
) -> Metrics:
    """The loss, if there is one, and the metrics of one split; `names` beside the usual ones."""
    found = measured(task, outputs, y, names, weight)
    if loss is None:
        return found
    return together(with_reasons({"loss": finite(loss)}, {"loss": _reason(loss)}), found)


def _reason(loss: float) -> str:
    """Why a loss that is no finite number has no value."""
    return "it is not a number" if isnan(loss) else "it is beyond the range of numbers"


@np.errstate(all="ignore")
def baselines_of(
    task: Task, loss: Loss | None, examples: Mapping[str, PreparedSplit], names: Sequence[str] = ()
) -> dict[str, Metrics | None]:
    """The metrics of a model that ignores x and predicts the training mean, or the class shares.

    For classes it predicts the most frequent one, with the shares as probabilities. Where classes
    have weights, the loss is that of the shares by these weights: the smallest of any constant.
    """
    if isinstance(task, Classification) and not task.probabilistic:
        task = Classification(task.classes, task.outputs, probabilistic=True)
    train = examples["train"]
    mean = _mean(train.target, train.sample_weight)
    evaluations: dict[str, Evaluation] = {}
    for name, part in examples.items():
        outputs = constant = np.repeat(mean, len(part), axis=0)
        if part.weight is not None:
            constant = np.repeat(_mean(train.target, train.weight), len(part), axis=0)
        evaluations[name] = _loss(loss, constant, part), outputs
    return metrics_of_splits(task, examples, evaluations, names)


@np.errstate(all="ignore")
def naive_of(
    task: Task,
    loss: Loss | None,
    examples: Mapping[str, PreparedSplit],
    earlier: Mapping[str, Array],
    names: Sequence[str] = (),
) -> dict[str, Metrics | None]:
    """The metrics of a model that predicts earlier values of the target.

    Args:
        task: what outputs mean.
        loss: of the report, if there is one.
        examples: the rows of each split.
        earlier: (rows, outputs) of each split; NaN where there is none, for which the training mean
            is predicted.
        names: of metrics beside the usual ones.
    """
    train = examples["train"]
    mean, evaluations = _mean(train.target, train.sample_weight), dict[str, Evaluation]()
    for name, part in examples.items():
        encoded = task.encode(earlier[name])
        outputs = np.where(np.isnan(encoded), mean, encoded)
        evaluations[name] = _loss(loss, outputs, part), outputs
    return metrics_of_splits(task, examples, evaluations, names)


def _loss(loss: Loss | None, outputs: Array, part: PreparedSplit) -> float | None:
    """The loss of outputs in float64, with the weights that rows have in training."""
    if loss is None:
        return None
    if part.weight is None:
        return loss.value(outputs, part.target)
    return Weighted(loss).value(outputs, part.loss_target.astype(np.float64))


def _mean(target: Array, weight: Array | None) -> Array:
    """The mean target, (1, outputs)."""
    if weight is None:
        mean: Array = target.mean(axis=0, keepdims=True, dtype=np.float64)
        return mean
    exact = target.astype(np.float64, copy=False)
    return np.average(exact, axis=0, weights=weight.astype(np.float64))[np.newaxis]
