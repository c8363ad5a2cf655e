"""A loss whose rows have weights."""

from __future__ import annotations

import numpy as np

from nnrun.nn.losses.base import Loss
from nnrun.nn.signature import Array


class Weighted(Loss):
    """L = Σ w l / rows for rows with weights w and losses l; dL/dy of a row is w times its own.

    Targets have one column more than a row has outputs: the weights. With weights whose mean over
    all rows is 1, L over all rows is the weighted mean Σ w l / Σ w, in which a weight of 2 counts
    as the row twice, and the L of a batch is an unbiased estimate of it. (PyTorch divides by the
    sum over the batch: of a single row its weight cancels.) A row with a weight of 0 adds nothing,
    even where its loss is infinite.

    Args:
        loss: of a row without its weight.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.type = loss.type
        self.needs = loss.needs

    @property
    def reported(self) -> Loss:
        return Weighted(self.loss.reported)

    def setting(self, name: str, outputs: int) -> float:
        return self.loss.setting(name, outputs)

    def value(self, y: Array, target: Array) -> float:
        target, weight = split_weights(y, target)
        costs = self.loss.rows(y, target)
        return float(np.sum(np.multiply(costs, weight, where=weight > 0, out=0 * weight))) / len(y)

    def gradient(self, y: Array, target: Array) -> Array:
        target, weight = split_weights(y, target)
        weight = weight.reshape(-1, *[1] * (y.ndim - 1))
        dy = self.loss.gradient(y, target)
        return np.multiply(dy, weight, where=weight > 0, out=np.zeros_like(dy))


def split_weights(y: Array, target: Array) -> tuple[Array, Array]:
    """The targets in the shape of y, and the weight of each row, which is their last column."""
    flat = target.reshape(len(target), -1)
    return flat[:, :-1].reshape(y.shape), flat[:, -1]


def join_weights(target: Array, weight: Array) -> Array:
    """Targets (rows, outputs) with the weights (rows,) as their last column."""
    return np.column_stack([target.reshape(len(target), -1), weight]).astype(target.dtype)


def unweighted(loss: Loss) -> Loss:
    """The loss of a row without its weight."""
    return loss.loss if isinstance(loss, Weighted) else loss
