"""Rates along halves of a cosine, with a warm-up or restarts."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from nnrun.nn.schedules.base import Schedule
from nnrun.nn.signature import (
    Array,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)


def _half_cosine(first: float, last: float, progress: Array) -> Array:
    """Rate between the first and the last as progress goes from 0 to 1."""
    rates: Array = last + (first - last) * ((1 + np.cos(pi * progress)) / 2)
    return rates


@dataclass
class Cosine(Schedule):
    """Half a cosine from initial to final. Loshchilov and Hutter, ICLR 2017, one period.

    Args:
        initial: The rate of the first iteration.
        final: The rate after `over` iterations, which the last of them comes close to, as PyTorch's
            CosineAnnealingLR.
        over: Iterations of the half cosine; all of the run by default.
    """

    initial: PositiveFloat
    final: NonNegativeFloat = 0.0
    over: PositiveInt | None = None

    def rates(self, t: Array, total: int) -> Array:
        progress = np.minimum(t / (self.over or total), 1)
        return _half_cosine(self.initial, self.final, progress)


@dataclass
class WarmupCosine(Schedule):
    """A straight line to `peak` in `warmup` iterations, then half a cosine to `final`.

    Args:
        peak: The largest rate.
        warmup: Iterations in which it rises.
        final: The rate after `over` iterations, which the last of them comes close to.
        over: Iterations of the line and the half cosine together; all of the run by default.
    """

    peak: PositiveFloat
    warmup: NonNegativeInt
    final: NonNegativeFloat = 0.0
    over: PositiveInt | None = None

    def rates(self, t: Array, total: int) -> Array:
        rising = self.peak * (t + 1) / max(self.warmup, 1)
        length = max((self.over or total) - self.warmup, 1)
        falling = Cosine(self.peak, self.final, length).rates(np.maximum(t - self.warmup, 0), total)
        return np.where(t < self.warmup, rising, falling)


@dataclass
class CosineRestarts(Schedule):
    """Half cosines from initial to final, one after the other. Loshchilov and Hutter, ICLR 2017.

    Args:
        initial: The rate at the start of each period.
        period: Iterations of the first period.
        growth: How many times as long each period is as the one before it.
        final: The rate that each period falls to.
    """

    initial: PositiveFloat
    period: PositiveInt
    growth: PositiveInt = 1
    final: NonNegativeFloat = 0.0

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
        return _half_cosine(self.initial, self.final, progress)


@dataclass
class OneCycle(Schedule):
    """Half a cosine up to `peak`, another one down to `final`. Smith and Topin, 2019.

    The rates are those of PyTorch's `OneCycleLR` where `rise` is more than one iteration. Where it
    is not, that one begins between `peak` and `final`, or divides by zero; this one begins at
    `initial`, and falls from the second iteration on. A run of a single iteration has `initial`.

    Args:
        peak: The largest rate.
        rise: The share of the iterations in which it rises; 0 begins at the peak.
        initial: The rate of the first iteration; a 25th of the peak by default.
        final: The rate of the last iteration; a 10,000th of the first by default.
        over: Iterations from the first to the last; all of the run by default.
    """

    peak: PositiveFloat
    rise: Fraction = 0.3
    initial: NonNegativeFloat | None = None
    final: NonNegativeFloat | None = None
    over: PositiveInt | None = None

    def rates(self, t: Array, total: int) -> Array:
        initial = self.peak / 25 if self.initial is None else self.initial
        final = initial / 1e4 if self.final is None else self.final
        last = max((self.over or total) - 1, 1)
        top = max(self.rise * (last + 1) - 1, 0.0)
        up = np.clip(t / (top or 1), 0, 1)
        down = np.clip((t - top) / (last - top), 0, 1)
        rising = _half_cosine(initial, self.peak, up)
        rises = (t < top) | ((t == 0) & (self.rise > 0))
        return np.where(rises, rising, _half_cosine(self.peak, final, down))
