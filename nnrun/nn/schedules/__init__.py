"""Learning rate schedules.

A schedule gives the rates η(t) of iterations t = 0, 1, …, as an array for an array of t. `over` is
the number of iterations that it spans, by default the whole run.
"""

from __future__ import annotations

from nnrun.nn.schedules.base import Schedule
from nnrun.nn.schedules.cosine import Cosine, CosineRestarts, OneCycle, WarmupCosine
from nnrun.nn.schedules.falling import Constant, Exponential, InverseTime, Step
from nnrun.nn.schedules.plateau import ReduceOnPlateau
from nnrun.tables import Table

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "InverseTime",
    "OneCycle",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "WarmupCosine",
]

SCHEDULES: Table[type[Schedule]] = Table(
    "schedule",
    {
        "step": Step,
        "exponential": Exponential,
        "inverse_time": InverseTime,
        "cosine": Cosine,
        "cosine_restarts": CosineRestarts,
        "warmup_cosine": WarmupCosine,
        "one_cycle": OneCycle,
        "reduce_on_plateau": ReduceOnPlateau,
        "constant": Constant,
    },
)
