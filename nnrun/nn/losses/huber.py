"""Huber's loss."""

from __future__ import annotations

import numpy as np

from nnrun.nn.losses.base import Loss
from nnrun.nn.signature import Array, PositiveFloat


class Huber(Loss):
    """Squared for small errors e = y - t, absolute for large ones, the mean over rows and outputs:

    L = mean of e² / 2 where |e| ≤ δ, else δ (|e| - δ / 2); dL/de is e, clipped to ±δ.
    Huber, Ann. Math. Statist. 35 (1964).

    Args:
        delta: δ, the largest error that counts as small.
    """

    type = "huber"

    def __init__(self, delta: PositiveFloat = 1.0) -> None:
        self.delta = delta

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        return 1.0 / outputs

    def value(self, y: Array, target: Array) -> float:
        return float(np.mean(self._costs(y, target)))

    def rows(self, y: Array, target: Array) -> Array:
        rows: Array = self._costs(y, target).reshape(len(y), -1).mean(axis=1)
        return rows

    def _costs(self, y: Array, target: Array) -> Array:
        error = np.abs(y - target)
        small = np.minimum(error, self.delta)
        costs: Array = small * (error - small / 2)
        return costs

    def gradient(self, y: Array, target: Array) -> Array:
        dy: Array = np.clip(y - target, -self.delta, self.delta)
        dy /= y.size
        return dy
