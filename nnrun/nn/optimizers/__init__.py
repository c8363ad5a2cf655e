"""The optimizers by name. A new one is a file in this folder and a line in `OPTIMIZERS`."""

from __future__ import annotations

from nnrun.nn.optimizers.adam import Adam, AdamW
from nnrun.nn.optimizers.base import Optimizer
from nnrun.nn.optimizers.rmsprop import RMSprop
from nnrun.nn.optimizers.sgd import SGD
from nnrun.tables import Table

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop"]

OPTIMIZERS: Table[type[Optimizer]] = Table(
    "optimizer", {cls.type: cls for cls in (SGD, Adam, AdamW, RMSprop)}
)
