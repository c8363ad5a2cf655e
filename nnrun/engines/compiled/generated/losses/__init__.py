"""The losses of a row and their gradients dL/dy, as source text.

Each is a mean over the rows of the batch, and some over the outputs too.
"""

from __future__ import annotations

from nnrun.engines.compiled.generated.losses.base import Loss
from nnrun.engines.compiled.generated.losses.distances import Huber, MeanAbsolute, MeanSquared
from nnrun.engines.compiled.generated.losses.entropies import (
    BinaryCrossEntropy,
    CrossEntropy,
    SigmoidBinaryCrossEntropy,
    SoftmaxCrossEntropy,
)

__all__ = ["LOSSES", "Loss"]

LOSSES: dict[str, type[Loss]] = {
    "mean_squared": MeanSquared,
    "mean_absolute": MeanAbsolute,
    "huber": Huber,
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "sigmoid_binary_cross_entropy": SigmoidBinaryCrossEntropy,
}
