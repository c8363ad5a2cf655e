"""Binary cross-entropy: a yes-or-no target for each output."""

from __future__ import annotations

import numpy as np

from nnrun.nn.activations.elementwise import Sigmoid
from nnrun.nn.losses.base import ClassLoss
from nnrun.nn.signature import Array


class BinaryCrossEntropy(ClassLoss):
    """L = -Σ (t log p + (1 - t) log(1 - p)) summed over outputs, mean over rows;
    dL/dp = ((1 - t) / (1 - p) - t / p) / rows.

    Summing over outputs is what scikit-learn's networks do; PyTorch's `BCELoss` takes the mean over
    outputs too, and so is smaller by their number.

    Args:
        label_smoothing: s; training takes t (1 - s) + s / 2 for a target t, evaluations t.
    """

    type = "binary_cross_entropy"
    classes = 2
    needs = "sigmoid"

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return 0.25

    def costs(self, y: Array, target: Array) -> Array:
        target = self.smoothed(target)
        with np.errstate(divide="ignore"):
            yes = np.log(y, where=target > 0, out=np.zeros_like(y))
            no = np.log1p(-y, where=target < 1, out=np.zeros_like(y))
        costs: Array = -(target * yes + (1 - target) * no)
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        target = self.smoothed(target)
        # In two parts, so that the slope at p = t = 0 or 1 is ±1 and not 0 / 0.
        with np.errstate(divide="ignore"):
            dy: Array = np.divide(1 - target, 1 - y, where=target < 1, out=np.zeros_like(y))
            dy -= np.divide(target, y, where=target > 0, out=np.zeros_like(y))
        dy /= len(y)
        return dy


class SigmoidBinaryCrossEntropy(ClassLoss):
    """Binary cross-entropy of sigmoid(z), from the logits z, in log space:

    per output max(z, 0) - z t + log(1 + exp(-|z|)); dL/dz = (sigmoid(z) - t) / rows.
    It stays finite for any finite z.

    Args:
        label_smoothing: s; training takes t (1 - s) + s / 2 for a target t, evaluations t.
    """

    type = "sigmoid_binary_cross_entropy"
    classes = 2

    def costs(self, y: Array, target: Array) -> Array:
        target = self.smoothed(target)
        costs: Array = np.maximum(y, 0) - y * target + np.log1p(np.exp(-np.abs(y)))
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        target = self.smoothed(target)
        dy = np.empty_like(y)
        Sigmoid().value(y, dy)
        dy -= target
        dy /= len(y)
        return dy
