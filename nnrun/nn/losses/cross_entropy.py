"""Cross-entropy between a distribution over classes and the target."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.softmax import row_maximum
from nnrun.nn.losses.base import Loss
from nnrun.nn.signature import Array


class CrossEntropy(Loss):
    """L = -Σ t log p summed over classes, mean over rows; dL/dp = -t / p / rows.

    If the true class has p = 0, the loss is infinite. Networks that end in softmax are trained with
    `SoftmaxCrossEntropy`, where this does not happen.
    """

    type = "cross_entropy"
    needs = "softmax"

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return 0.5

    def value(self, y: Array, target: Array) -> float:
        return float(np.sum(self._costs(y, target))) / len(y)

    def rows(self, y: Array, target: Array) -> Array:
        rows: Array = self._costs(y, target).sum(axis=1)
        return rows

    def _costs(self, y: Array, target: Array) -> Array:
        with np.errstate(divide="ignore"):
            costs: Array = -np.log(y, where=target > 0, out=np.zeros_like(y))
        costs *= target
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        with np.errstate(divide="ignore"):
            ratio = np.divide(target, y, where=target > 0, out=np.zeros_like(y))
        ratio /= -len(y)
        return ratio


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of softmax(z), from the logits z, in log space:

    log pᵢ = zᵢ - m - log Σⱼ exp(zⱼ - m) with m = max z; dL/dz = (p - t) / rows for rows of targets
    that sum to one. It stays finite for any finite z.
    """

    type = "softmax_cross_entropy"

    def value(self, y: Array, target: Array) -> float:
        return -float(np.sum(target * _log_softmax(y))) / len(y)

    def rows(self, y: Array, target: Array) -> Array:
        rows: Array = -(target * _log_softmax(y)).sum(axis=1)
        return rows

    def gradient(self, y: Array, target: Array) -> Array:
        dy = y - np.maximum.reduce(y, axis=1, keepdims=True)
        np.exp(dy, out=dy)
        dy /= np.add.reduce(dy, axis=1, keepdims=True)
        dy -= target
        if len(y) > 1:
            dy /= len(y)
        return dy


def _log_softmax(z: Array) -> Array:
    shifted = z - row_maximum(z)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_p
