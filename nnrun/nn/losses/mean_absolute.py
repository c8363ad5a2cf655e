"""Mean absolute error."""

from __future__ import annotations

import numpy as np

from nnrun.nn.losses.base import Loss
from nnrun.nn.signature import Array


class MeanAbsolute(Loss):
    """L = mean |y - t| over rows and outputs, dL/dy = sign(y - t) / (rows · outputs)."""

    type = "mean_absolute"

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return None  # it has a kink at 0

    def value(self, y: Array, target: Array) -> float:
        return float(np.mean(np.abs(y - target)))

    def rows(self, y: Array, target: Array) -> Array:
        rows: Array = np.abs(y - target).reshape(len(y), -1).mean(axis=1)
        return rows

    def gradient(self, y: Array, target: Array) -> Array:
        dy: Array = np.sign(y - target)
        dy /= y.size
        return dy
