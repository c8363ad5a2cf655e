"""Learning rate schedules.

A schedule gives the rates η(t) of iterations t = 0, 1, …, as an array for an array of t. `over` is
the number of iterations that it spans, by default the whole run.
"""

from __future__ import annotations

from math import pi

import numpy as np

from nnrun.nn.signature import Array, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from nnrun.tables import Table


class Schedule:
    """A learning rate for every iteration of a run of `total` iterations."""

    def rates(self, t: Array, total: int) -> Array:
        """Learning rates of iterations t (float64, counted from 0)."""
        raise NotImplementedError

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


SCHEDULES: Table[type[Schedule]] = Table(
    "schedule",
    {
        "step": Step,
        "exponential": Exponential,
        "inverse_time": InverseTime,
        "cosine": Cosine,
        "warmup_cosine": WarmupCosine,
        "constant": Constant,
    },
)
