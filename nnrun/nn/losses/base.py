"""The base classes of losses."""

from __future__ import annotations

import numpy as np

from nnrun.nn.signature import Array


class Loss:
    """A measure of how far predictions are from targets, with its exact gradient.

    Predictions and targets are (batch, outputs); targets of classification are one-hot rows.
    Every loss is a mean over the rows, so that it does not grow with the batch.
    """

    type = ""
    needs: str | None = None  # the last activation that it requires

    def value(self, y: Array, target: Array) -> float:
        """The loss of predictions y."""
        raise NotImplementedError

    def rows(self, y: Array, target: Array) -> Array:
        """The loss of each row alone: (rows,)."""
        single = [self.value(y[i : i + 1], target[i : i + 1]) for i in range(len(y))]
        return np.array(single, y.dtype)

    @classmethod
    def curvature(cls, outputs: int) -> float | None:
        """The largest d²L/dz² of a row along one of its outputs, or None where there is none.

        z is what the last activation is applied to, where the loss `needs` one, else the output.
        """
        return None

    def gradient(self, y: Array, target: Array) -> Array:
        """dL/dy, of y's shape."""
        raise NotImplementedError


class ElementwiseLoss(Loss):
    """A loss that adds up a cost of each output; a subclass defines `costs`."""

    over_outputs = False  # whether it is a mean over the outputs of a row, and not their sum

    def costs(self, y: Array, target: Array) -> Array:
        """The cost of each output, of y's shape."""
        raise NotImplementedError

    def value(self, y: Array, target: Array) -> float:
        costs = self.costs(y, target)
        return float(np.mean(costs)) if self.over_outputs else float(np.sum(costs)) / len(y)

    def rows(self, y: Array, target: Array) -> Array:
        costs = self.costs(y, target).reshape(len(y), -1)
        rows: Array = costs.mean(axis=1) if self.over_outputs else costs.sum(axis=1)
        return rows
