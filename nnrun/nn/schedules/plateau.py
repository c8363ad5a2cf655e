"""Rates that follow the loss."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from nnrun.nn.schedules.base import Schedule
from nnrun.nn.signature import (
    Array,
    NonNegativeFloat,
    PositiveFloat,
    PositiveFraction,
    PositiveInt,
)


class ReduceOnPlateau(Schedule):
    """η falls by a factor when the loss shows no more progress at evaluations.

    The loss is that of the validation split, or of the training split where there is none. As
    `patience` of early stopping counts them, not as that of PyTorch's schedule of this name, whose
    `patience` is smaller by one.

    Args:
        initial: The rate of the first iteration.
        factor: The factor of each fall.
        patience: The rate falls after this many evaluations in a row that are no better than the
            best; then they are counted anew.
        final: The rate below which it does not fall.
    """

    follows_loss = True

    def __init__(
        self,
        initial: PositiveFloat,
        factor: PositiveFraction = 0.1,
        patience: PositiveInt = 3,
        final: NonNegativeFloat = 0.0,
    ) -> None:
        self.initial = initial
        self.factor = factor
        self.patience = patience
        self.final = final
        self._rate = initial
        self._best = inf
        self._waited = 0

    def rates(self, t: Array, total: int) -> Array:
        return np.full(len(t), self._rate)

    def observe(self, loss: float) -> None:
        if loss < self._best:
            self._best, self._waited = loss, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self._waited = 0
            # It does not rise either, to a `final` above it.
            self._rate = min(self._rate, max(self._rate * self.factor, self.final))

    def state(self) -> dict[str, Any]:
        best = None if self._best == inf else self._best
        return {"rate": self._rate, "best": best, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        self._rate, self._waited = state["rate"], state["waited"]
        self._best = inf if state["best"] is None else state["best"]
