"""The losses by name. A new loss is a class in this folder and a line in `LOSSES`."""

from __future__ import annotations

from nnrun.nn.losses.base import Loss
from nnrun.nn.losses.binary_cross_entropy import BinaryCrossEntropy, SigmoidBinaryCrossEntropy
from nnrun.nn.losses.cross_entropy import CrossEntropy, SoftmaxCrossEntropy
from nnrun.nn.losses.regression import Huber, MeanAbsolute, MeanSquared, Pinball, Poisson
from nnrun.nn.losses.weighted import Weighted
from nnrun.tables import Table

__all__ = [
    "FUSED",
    "LOSSES",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Huber",
    "Loss",
    "MeanAbsolute",
    "MeanSquared",
    "Pinball",
    "Poisson",
    "SigmoidBinaryCrossEntropy",
    "SoftmaxCrossEntropy",
    "Weighted",
]

LOSSES: Table[type[Loss]] = Table(
    "loss",
    {
        cls.type: cls
        for cls in (
            MeanSquared,
            MeanAbsolute,
            Huber,
            Pinball,
            Poisson,
            CrossEntropy,
            BinaryCrossEntropy,
        )
    },
)

# (last activation, loss) pairs that are computed together from the logits, without loss of digits.
FUSED: dict[tuple[str, str], type[Loss]] = {
    ("softmax", "cross_entropy"): SoftmaxCrossEntropy,
    ("sigmoid", "binary_cross_entropy"): SigmoidBinaryCrossEntropy,
}
