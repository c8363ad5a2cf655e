"""Losses of regression: means over rows and outputs."""

from __future__ import annotations

import numpy as np

from nnrun.nn.losses.base import ElementwiseLoss
from nnrun.nn.signature import Array, PositiveFloat, PositiveFraction


class MeanSquared(ElementwiseLoss):
    """L = mean (y - t)² over rows and outputs, dL/dy = 2 (y - t) / (rows · outputs)."""

    type = "mean_squared"
    over_outputs = True

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return 2.0 / outputs

    def value(self, y: Array, target: Array) -> float:
        error = (y - target).ravel()
        return float(np.dot(error, error)) / error.size

    def costs(self, y: Array, target: Array) -> Array:
        costs: Array = (y - target) ** 2
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        dy = y - target
        dy *= 2 / y.size
        return dy


class MeanAbsolute(ElementwiseLoss):
    """L = mean |y - t| over rows and outputs, dL/dy = sign(y - t) / (rows · outputs)."""

    type = "mean_absolute"
    over_outputs = True

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return None  # it has a kink at 0

    def costs(self, y: Array, target: Array) -> Array:
        costs: Array = np.abs(y - target)
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        dy: Array = np.sign(y - target)
        dy /= y.size
        return dy


class Huber(ElementwiseLoss):
    """Squared for small errors e = y - t, absolute for large ones, the mean over rows and outputs:

    L = mean of e² / 2 where |e| ≤ δ, else δ (|e| - δ / 2); dL/de is e, clipped to ±δ.
    Huber, Ann. Math. Statist. 35 (1964).

    Args:
        delta: δ, the largest error that counts as small.
    """

    type = "huber"
    over_outputs = True

    def __init__(self, delta: PositiveFloat = 1.0) -> None:
        self.delta = delta

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return 1.0 / outputs

    def costs(self, y: Array, target: Array) -> Array:
        error = np.abs(y - target)
        small = np.minimum(error, self.delta)
        costs: Array = small * (error - small / 2)
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        dy: Array = np.clip(y - target, -self.delta, self.delta)
        dy /= y.size
        return dy


class Pinball(ElementwiseLoss):
    """L = mean of q e where e > 0, else (q - 1) e, with e = t - y, over rows and outputs;

    dL/dy is -q where the output is too small, 1 - q where it is too large. Its minimum is the
    q-quantile of the targets, so 0.9 predicts what nine of ten rows stay below.
    Koenker and Bassett, Econometrica 46 (1978).

    Args:
        quantile: q, the share of targets that lie below the prediction.
    """

    type = "pinball"
    over_outputs = True

    def __init__(self, quantile: PositiveFraction = 0.5) -> None:
        self.quantile = quantile

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return None  # it has a kink at 0

    def costs(self, y: Array, target: Array) -> Array:
        error = target - y
        costs: Array = np.maximum(self.quantile * error, (self.quantile - 1) * error)
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        dy = (1 - self.quantile) * (y > target) - self.quantile * (y < target)
        dy = dy.astype(y.dtype)
        dy /= y.size
        return dy


class Poisson(ElementwiseLoss):
    """L = mean of y - t + t log(t / y) over rows and outputs, for counts t and their means y;

    dL/dy = (1 - t / y) / (rows · outputs). This is half the deviance of Poisson's distribution: the
    negative logarithm of the likelihood, without a part that depends on t alone, so that 0 is best.
    Outputs must be positive, as those of softplus are, which is near a line for large counts.
    """

    type = "poisson"
    needs = "softplus"
    over_outputs = True
    least_target = 0.0

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return None  # it grows with the target

    def costs(self, y: Array, target: Array) -> Array:
        some = target > 0
        with np.errstate(divide="ignore"):
            ratio = np.divide(target, y, where=some, out=np.ones_like(y))
        costs: Array = y - target + target * np.log(ratio)
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        with np.errstate(divide="ignore"):
            dy: Array = 1 - np.divide(target, y, where=target > 0, out=np.zeros_like(y))
        dy /= y.size
        return dy
