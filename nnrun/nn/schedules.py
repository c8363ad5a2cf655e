"""Learning rate schedules.

A schedule gives the rates η(t) of iterations t = 0, 1, …, as an array for an array of t. `over` is
the number of iterations that it spans, by default the whole run.
"""

from __future__ import annotations

from math import inf, pi
from typing import Any, ClassVar

import numpy as np

from nnrun.nn.signature import (
    Array,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveFraction,
    PositiveInt,
)
from nnrun.tables import Table


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


class Constant(Schedule):
    """η(t) = value.

    Args:
        value: The rate of every iteration.
    """

    def __init__(self, value: PositiveFloat) -> None:
        self.value = value

    def rates(self, t: Array, total: int) -> Array:
        return np.full(len(t), self.value)

    def rate_at(self, t: int, total: int) -> float:
        return self.value


class Step(Schedule):
    """η(t) = initial · factor^⌊t / every⌋.

    Args:
        initial: The rate of the first iteration.
        every: Iterations between two drops.
        factor: The factor of each drop.
    """

    def __init__(
        self, initial: PositiveFloat, every: PositiveInt, factor: PositiveFloat = 0.1
    ) -> None:
        self.initial = initial
        self.every = every
        self.factor = factor

    def rates(self, t: Array, total: int) -> Array:
        return self.initial * self.factor ** np.floor(t / self.every)


class Exponential(Schedule):
    """η(t) = initial · factor^(t / every).

    Args:
        initial: The rate of the first iteration.
        every: Iterations in which the rate changes by the factor.
        factor: The factor by which the rate changes.
    """

    def __init__(
        self, initial: PositiveFloat, every: PositiveInt, factor: PositiveFloat = 0.5
    ) -> None:
        self.initial = initial
        self.every = every
        self.factor = factor

    def rates(self, t: Array, total: int) -> Array:
        return self.initial * self.factor ** (t / self.every)


class InverseTime(Schedule):
    """η(t) = initial / (1 + rate · t / every). Robbins and Monro, Ann. Math. Statist. 22 (1951).

    Args:
        initial: The rate of the first iteration.
        every: The unit in which iterations are counted.
        rate: How fast it falls: at 1, half of it is left after `every` iterations.
    """

    def __init__(
        self, initial: PositiveFloat, every: PositiveInt, rate: NonNegativeFloat = 1.0
    ) -> None:
        self.initial = initial
        self.every = every
        self.rate = rate

    def rates(self, t: Array, total: int) -> Array:
        return self.initial / (1 + self.rate * t / self.every)


class Cosine(Schedule):
    """From initial to final along half a cosine. Loshchilov and Hutter, ICLR 2017, one period.

    Args:
        initial: The rate of the first iteration.
        final: The rate at the end.
        over: Iterations from the first to the last; all of the run by default.
    """

    def __init__(
        self,
        initial: PositiveFloat,
        final: NonNegativeFloat = 0.0,
        over: PositiveInt | None = None,
    ) -> None:
        self.initial = initial
        self.final = final
        self.over = over

    def rates(self, t: Array, total: int) -> Array:
        progress = np.minimum(t / (self.over or total), 1)
        return self.final + (self.initial - self.final) * ((1 + np.cos(pi * progress)) / 2)


class WarmupCosine(Schedule):
    """A straight line to `peak` in `warmup` iterations, then half a cosine to `final`.

    Args:
        peak: The largest rate.
        warmup: Iterations in which it rises.
        final: The rate at the end.
        over: Iterations from the first to the last, those of `warmup` included; all of the run by
            default.
    """

    def __init__(
        self,
        peak: PositiveFloat,
        warmup: NonNegativeInt,
        final: NonNegativeFloat = 0.0,
        over: PositiveInt | None = None,
    ) -> None:
        self.peak = peak
        self.warmup = warmup
        self.final = final
        self.over = over

    def rates(self, t: Array, total: int) -> Array:
        rising = self.peak * (t + 1) / max(self.warmup, 1)
        length = max((self.over or total) - self.warmup, 1)
        falling = Cosine(self.peak, self.final, length).rates(np.maximum(t - self.warmup, 0), total)
        return np.where(t < self.warmup, rising, falling)


class CosineRestarts(Schedule):
    """Half cosines from initial to final, one after the other. Loshchilov and Hutter, ICLR 2017.

    Args:
        initial: The rate at the start of each period.
        period: Iterations of the first period.
        growth: How many times as long each period is as the one before it.
        final: The rate that each period falls to.
    """

    def __init__(
        self,
        initial: PositiveFloat,
        period: PositiveInt,
        growth: PositiveInt = 1,
        final: NonNegativeFloat = 0.0,
    ) -> None:
        self.initial = initial
        self.period = period
        self.growth = growth
        self.final = final

    def rates(self, t: Array, total: int) -> Array:
        if self.growth == 1:
            progress = (t % self.period) / self.period
        else:
            starts, length = [0], self.period
            while starts[-1] + length <= t.max(initial=0):
                starts.append(starts[-1] + length)
                length *= self.growth
            number = np.searchsorted(starts, t, side="right") - 1
            lengths = self.period * float(self.growth) ** number
            progress = (t - np.array(starts)[number]) / lengths
        return self.final + (self.initial - self.final) * ((1 + np.cos(pi * progress)) / 2)


class OneCycle(Schedule):
    """Half a cosine up to `peak`, another one down to `final`. Smith and Topin, 2019.

    Args:
        peak: The largest rate.
        rise: The share of the iterations in which it rises.
        initial: The rate of the first iteration; a 25th of the peak by default.
        final: The rate of the last iteration; a 10,000th of the first by default.
        over: Iterations from the first to the last; all of the run by default.
    """

    def __init__(
        self,
        peak: PositiveFloat,
        rise: Fraction = 0.3,
        initial: NonNegativeFloat | None = None,
        final: NonNegativeFloat | None = None,
        over: PositiveInt | None = None,
    ) -> None:
        self.peak = peak
        self.rise = rise
        self.initial = initial
        self.final = final
        self.over = over

    def rates(self, t: Array, total: int) -> Array:
        initial = self.peak / 25 if self.initial is None else self.initial
        final = initial / 1e4 if self.final is None else self.final
        last = max((self.over or total) - 1, 1)
        top = max(self.rise * (last + 1) - 1, 0.0)
        up = np.clip(t / (top or 1), 0, 1)
        down = np.clip((t - top) / (last - top), 0, 1)
        rising = self.peak + (initial - self.peak) * ((1 + np.cos(pi * up)) / 2)
        falling = final + (self.peak - final) * ((1 + np.cos(pi * down)) / 2)
        return np.where(t < top, rising, falling)


class ReduceOnPlateau(Schedule):
    """η falls by a factor when the loss shows no more progress at evaluations.

    The loss is that of the validation split, or of the training split where there is none. As
    `patience` of early stopping counts them, not as that of PyTorch's schedule of this name, whose
    `patience` is smaller by one.

    Args:
        initial: The rate of the first iteration.
        factor: The factor of each fall.
        patience: The rate falls after so many evaluations in a row that are no better than the
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
