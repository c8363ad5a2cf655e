"""The activations by name. A new one is a class in this folder and a line in `ACTIVATIONS`."""

from __future__ import annotations

from nnrun.nn.activations.base import Activation
from nnrun.nn.activations.elementwise import (
    ELU,
    GELU,
    LeakyReLU,
    Linear,
    ReLU,
    Sigmoid,
    Softplus,
    Tanh,
)
from nnrun.nn.activations.formula import HardTanh, Mish, SiLU, Square
from nnrun.nn.activations.softmax import Softmax
from nnrun.tables import Table

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "Activation",
    "HardTanh",
    "LeakyReLU",
    "Linear",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Square",
    "Tanh",
]

ACTIVATIONS: Table[type[Activation]] = Table(
    "activation",
    {
        cls.type: cls
        for cls in (
            Linear,
            Sigmoid,
            Tanh,
            ReLU,
            LeakyReLU,
            ELU,
            Softplus,
            GELU,
            SiLU,
            Mish,
            HardTanh,
            Square,
            Softmax,
        )
    },
)
