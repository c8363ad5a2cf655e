"""What all learning rate schedules have."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nnrun.nn.signature import Array


class Schedule:
    """A learning rate for every iteration of a run of `total` iterations."""

    follows_loss: ClassVar[bool] = False
    """Whether rates depend on the losses of evaluations, which `observe` gets."""

    def rates(self, t: Array, total: int) -> Array:
        """Learning rates of iterations t (float64, counted from 0)."""
        raise NotImplementedError

    def observe(self, loss: float) -> None:
        """Take the loss of an evaluation into account for the iterations after it."""

    def state(self) -> dict[str, Any]:
        """What `observe` has changed, as plain values."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state."""

    def rate_at(self, t: int, total: int) -> float:
        """The learning rate of one iteration."""
        return float(self.rates(np.array([t], np.float64), total)[0])
