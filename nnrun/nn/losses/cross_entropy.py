"""Cross-entropy between a distribution over classes and the target."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.softmax import row_maximum
from nnrun.nn.losses.base import ClassLoss
from nnrun.nn.signature import Array


class CrossEntropy(ClassLoss):
    """L = -Σ t log p summed over classes, mean over rows; dL/dp = -t / p / rows.

    If the true class has p = 0, the loss is infinite. Networks that end in softmax are trained with
    `SoftmaxCrossEntropy`, where this does not happen.

    Args:
        label_smoothing: s; training takes t (1 - s) + s / classes for a target t, evaluations t.
    """

    type = "cross_entropy"
    needs = "softmax"

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return 0.5

    def costs(self, y: Array, target: Array) -> Array:
        target = self.smoothed(target)
        with np.errstate(divide="ignore"):
            costs: Array = -np.log(y, where=target > 0, out=np.zeros_like(y))
        costs *= target
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        target = self.smoothed(target)
        with np.errstate(divide="ignore"):
            ratio = np.divide(target, y, where=target > 0, out=np.zeros_like(y))
        ratio /= -len(y)
        return ratio


class SoftmaxCrossEntropy(ClassLoss):
    """Cross-entropy of softmax(z), from the logits z, in log space:

    log pᵢ = zᵢ - m - log Σⱼ exp(zⱼ - m) with m = max z; dL/dz = (p - t) / rows for rows of targets
    that sum to one. It stays finite for any finite z.

    Args:
        label_smoothing: s; training takes t (1 - s) + s / classes for a target t, evaluations t.
    """

    type = "softmax_cross_entropy"

    def costs(self, y: Array, target: Array) -> Array:
        target = self.smoothed(target)
        shifted = y - row_maximum(y)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        costs: Array = -(target * log_p)
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        target = self.smoothed(target)
        dy = y - np.maximum.reduce(y, axis=1, keepdims=True)
        np.exp(dy, out=dy)
        dy /= np.add.reduce(dy, axis=1, keepdims=True)
        dy -= target
        if len(y) > 1:
            dy /= len(y)
        return dy
