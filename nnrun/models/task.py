"""The meaning of the network's outputs: classes, or numbers in units of the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnrun.data.layout import Layout
from nnrun.data.preprocessing.pipeline import Preprocessing
from nnrun.nn.network import Network
from nnrun.nn.signature import Array

if TYPE_CHECKING:
    from nnrun.models.decision import Decision


@dataclass(frozen=True)
class Classification:
    """Classification with one output for each class, or a single output for the second of two.

    Args:
        probabilistic: whether outputs are probabilities (a last softmax, or one sigmoid).
        decision: of two classes, when the positive one is predicted; by default the class with the
            larger probability is.
    """

    classes: int
    outputs: int
    probabilistic: bool
    decision: Decision | None = None

    main_metric = "accuracy"
    larger_is_better = True

    def encode(self, y: Array) -> Array:
        """Targets for training: (rows, outputs), ones and zeros, from class numbers."""
        if self.outputs == 1:
            return y[:, None].astype(np.float64)
        return np.eye(self.classes)[y]

    def decode(self, outputs: Array) -> Array:
        """Class numbers, from the network's outputs."""
        if self.decision is not None:
            return self.decision.apply(self.probability(outputs, self.decision.positive))
        if self.outputs == 1:
            return (outputs[..., 0] > 0.5).astype(np.int64)
        best: Array = outputs.argmax(axis=-1)
        return best

    def probability(self, outputs: Array, number: int) -> Array:
        """The probability of one class, from outputs that are probabilities."""
        if self.outputs > 1:
            return outputs[..., number]
        return outputs[..., 0] if number == 1 else 1 - outputs[..., 0]

    def probabilities(self, outputs: Array) -> Array | None:
        """(rows, classes), or None if the outputs are not probabilities."""
        if not self.probabilistic:
            return None
        if self.outputs == 1:
            return np.concatenate([1 - outputs, outputs], axis=1)
        return outputs

    def quick_metrics(
        self, outputs: Array, y: Array, weight: Array | None = None
    ) -> dict[str, Array]:
        """The metrics of the history; outputs may have a leading axis for several evaluations."""
        right = self.decode(outputs) == y
        if weight is not None:
            return {"accuracy": np.sum(weight * right, axis=-1) / np.sum(weight)}
        return {"accuracy": np.count_nonzero(right, axis=-1) / len(y)}

    def has_learned(self, outputs: Array, y: Array) -> bool:
        """Whether it makes less than half the errors of always predicting the largest class."""
        errors = int(np.count_nonzero(self.decode(outputs) != y))
        return bool(2 * errors < len(y) - np.bincount(y).max())


@dataclass(frozen=True)
class Regression:
    """Regression; `scale` converts targets to the units of training, `unscale` converts back."""

    scale: Callable[[Array], Array]
    unscale: Callable[[Array], Array]

    main_metric = "mse"
    larger_is_better = False

    def encode(self, y: Array) -> Array:
        """Targets for training, from targets in their original units."""
        return self.scale(y)

    def decode(self, outputs: Array) -> Array:
        """Predictions in the target's original units, from the network's outputs."""
        return self.unscale(outputs.astype(np.float64, copy=False))

    def quick_metrics(
        self, outputs: Array, y: Array, weight: Array | None = None
    ) -> dict[str, Array]:
        """The metrics of the history, in the target's original units; as for classification."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares = (self.decode(outputs) - y) ** 2
            if weight is not None:
                squares = squares * (weight / weight.mean())[:, np.newaxis]
            return {"mse": squares.reshape(*outputs.shape[:-2], -1).mean(axis=-1)}

    def has_learned(self, outputs: Array, y: Array) -> bool:
        """False: for regression, the loss alone decides."""
        return False


Task = Classification | Regression


def task_of(network: Network, preprocessing: Preprocessing, layout: Layout) -> Task:
    """The task of a network that is trained on rows of this layout."""
    if layout.task == "regression":
        return Regression(preprocessing.transform_y, preprocessing.inverse_y)
    return Classification(
        classes=len(layout.classes),
        outputs=network.output_shape[0],
        probabilistic=gives_probabilities(network),
    )


def gives_probabilities(network: Network) -> bool:
    """Whether the outputs are probabilities of classes."""
    last = network.layers[-1].type
    return last == "softmax" or (last == "sigmoid" and network.output_shape[0] == 1)
