"""The activations by name. A new one is a file in this folder and a line in `ACTIVATIONS`."""

from __future__ import annotations

from nnrun.nn.activations.base import Activation
from nnrun.nn.activations.elu import ELU
from nnrun.nn.activations.gelu import GELU
from nnrun.nn.activations.linear import Linear
from nnrun.nn.activations.relu import LeakyReLU, ReLU
from nnrun.nn.activations.sigmoid import Sigmoid
from nnrun.nn.activations.softmax import Softmax
from nnrun.nn.activations.softplus import Softplus
from nnrun.nn.activations.tanh import Tanh
from nnrun.tables import Table

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "Activation",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]

ACTIVATIONS: Table[type[Activation]] = Table(
    "activation",
    {
        cls.type: cls
        for cls in (Linear, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, Softplus, GELU, Softmax)
    },
)
