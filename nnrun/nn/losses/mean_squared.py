"""Mean squared error."""

from __future__ import annotations

import numpy as np

from nnrun.nn.losses.base import Loss
from nnrun.nn.signature import Array


class MeanSquared(Loss):
    """L = mean (y - t)² over rows and outputs, dL/dy = 2 (y - t) / (rows · outputs)."""

    type = "mean_squared"

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return 2.0 / outputs

    def value(self, y: Array, target: Array) -> float:
        error = (y - target).ravel()
        return float(np.dot(error, error)) / error.size

    def rows(self, y: Array, target: Array) -> Array:
        rows: Array = ((y - target) ** 2).reshape(len(y), -1).mean(axis=1)
        return rows

    def gradient(self, y: Array, target: Array) -> Array:
        dy = y - target
        dy *= 2 / y.size
        return dy
