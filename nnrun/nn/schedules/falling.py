"""Rates that stay, or fall step by step or smoothly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.nn.schedules.base import Schedule
from nnrun.nn.signature import (
    Array,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
)


@dataclass
class Constant(Schedule):
    """η(t) = value.

    Args:
        value: The rate of every iteration.
    """

    value: PositiveFloat

    def rates(self, t: Array, total: int) -> Array:
        return np.full(len(t), self.value)

    def rate_at(self, t: int, total: int) -> float:
        return self.value


@dataclass
class Step(Schedule):
    """η(t) = initial · factor^⌊t / every⌋.

    Args:
        initial: The rate of the first iteration.
        every: Iterations between two drops.
        factor: The factor of each drop.
    """

    initial: PositiveFloat
    every: PositiveInt
    factor: PositiveFloat = 0.1

    def rates(self, t: Array, total: int) -> Array:
        return self.initial * self.factor ** np.floor(t / self.every)


@dataclass
class Exponential(Schedule):
    """η(t) = initial · factor^(t / every).

    Args:
        initial: The rate of the first iteration.
        every: Iterations in which the rate changes by the factor.
        factor: The factor by which the rate changes.
    """

    initial: PositiveFloat
    every: PositiveInt
    factor: PositiveFloat = 0.5

    def rates(self, t: Array, total: int) -> Array:
        return self.initial * self.factor ** (t / self.every)


@dataclass
class InverseTime(Schedule):
    """η(t) = initial / (1 + rate · t / every). Robbins and Monro, Ann. Math. Statist. 22 (1951).

    Args:
        initial: The rate of the first iteration.
        every: The unit in which iterations are counted.
        rate: How fast it falls: at 1, half of it is left after `every` iterations.
    """

    initial: PositiveFloat
    every: PositiveInt
    rate: NonNegativeFloat = 1.0

    def rates(self, t: Array, total: int) -> Array:
        return self.initial / (1 + self.rate * t / self.every)
