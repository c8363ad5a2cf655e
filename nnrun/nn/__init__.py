"""Networks from scratch in NumPy: layers, activations, losses, optimizers. Usable alone.

>>> import numpy as np
>>> from nnrun.nn import MeanSquared, Network, dense
>>> network = Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), input_shape=(4,))
>>> network.initialize(rng=np.random.default_rng(0))
>>> network.predict(np.ones((2, 4))).shape
(2, 1)
"""

from __future__ import annotations

from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.gradient_check import check_gradients
from nnrun.nn.initializers import INITIALIZERS, Initializer
from nnrun.nn.layers import (
    LAYERS,
    AvgPool2d,
    BatchNorm,
    Bias,
    Dropout,
    Flatten,
    MatMul,
    MaxPool2d,
    Residual,
    activation,
    conv2d,
    dense,
)
from nnrun.nn.layers.convolution import Convolution
from nnrun.nn.losses import (
    LOSSES,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    MeanAbsolute,
    MeanSquared,
)
from nnrun.nn.network import LayerError, Network
from nnrun.nn.optimizers import OPTIMIZERS, SGD, Adam
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.schedules import SCHEDULES
from nnrun.nn.sequential import Sequential

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LAYERS",
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "Adam",
    "AvgPool2d",
    "BatchNorm",
    "Bias",
    "BinaryCrossEntropy",
    "Convolution",
    "CrossEntropy",
    "Dropout",
    "Flatten",
    "Huber",
    "Initializer",
    "L2Penalty",
    "LayerError",
    "MatMul",
    "MaxPool2d",
    "MeanAbsolute",
    "MeanSquared",
    "Network",
    "Residual",
    "Sequential",
    "activation",
    "check_gradients",
    "conv2d",
    "dense",
]
