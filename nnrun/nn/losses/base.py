"""The base classes of losses."""

from __future__ import annotations

import numpy as np

from nnrun.nn.signature import Array, Fraction


class Loss:
    """A measure of how far predictions are from targets, with its exact gradient.

    Predictions and targets are (batch, outputs); targets of classification are one-hot rows.
    Every loss is a mean over the rows, so that it does not grow with the batch.
    """

    type = ""
    needs: str | None = None  # the last activation that it requires
    least_target: float | None = None  # the smallest number that a target may be

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

    @property
    def reported(self) -> Loss:
        """What evaluations report of a network that minimizes this loss."""
        return self

    def setting(self, name: str, outputs: int) -> float:
        """A number in its formula, for rows of this many outputs."""
        return float(getattr(self, name))


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


class ClassLoss(ElementwiseLoss):
    """A loss whose targets are probabilities of classes, which training may smooth.

    With label smoothing s a target t counts as t (1 - s) + s / classes, as in PyTorch, so that no
    output gains from certainty. Szegedy et al., CVPR 2016. Evaluations report the loss without it.
    """

    classes: int | None = None  # of each output; None where the outputs of a row are the classes

    def __init__(self, label_smoothing: Fraction = 0.0) -> None:
        self.label_smoothing = label_smoothing

    @property
    def reported(self) -> Loss:
        return type(self)() if self.label_smoothing else self

    def setting(self, name: str, outputs: int) -> float:
        share = self.label_smoothing / (self.classes or outputs)
        return {"keep": 1 - self.label_smoothing, "share": share}[name]

    def smoothed(self, target: Array) -> Array:
        """The targets that training takes."""
        if not self.label_smoothing:
            return target
        outputs = target.shape[1]
        smooth: Array = target * self.setting("keep", outputs) + self.setting("share", outputs)
        return smooth
