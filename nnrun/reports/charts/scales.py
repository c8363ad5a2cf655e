"""Scales map values to places: the domain to 0 … 1.

Values that are not finite, or outside a scale's range, have the place None; a chart leaves a gap
there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from sys import float_info
from typing import Protocol

# Multiples of powers of ten that ticks may have.
_STEPS = (1, 2, 5, 10)
_LARGEST = float_info.max


class Scale(Protocol):
    """The interface of scales for axes and marks."""

    def place(self, value: float | None) -> float | None:
        """The place of a value: 0 at the start of the domain, 1 at its end; None if it has none."""

    def ticks(self, count: int) -> list[float]:
        """About this many round values within the domain."""


@dataclass(frozen=True)
class Linear:
    """Equal differences have equal lengths.

    Args:
        low: the start of the domain.
        high: its end, above `low`; both finite.
    """

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None], *, zero: bool = False, count: int = 5) -> Linear:
        """A domain with round ends that holds all finite values.

        Args:
            values: the data; a single value, or a constant, is placed in the middle.
            zero: whether the domain includes zero.
            count: the number of ticks, whose distance the ends are multiples of.
        """
        finite = _finite(values)
        if not finite:
            return cls(0.0, 1.0)
        low, high = min(finite), max(finite)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if low == high:
            room = abs(low) / 2 or 1.0
            low, high = max(low - room, -_LARGEST), min(high + room, _LARGEST)
        step, power = _step(low, high, count)
        ends = (
            _multiple(floor(_ratio(low, step, power)), step, power),
            _multiple(ceil(_ratio(high, step, power)), step, power),
        )
        # Rounding outwards must not leave the range of numbers, nor cut what it was made for.
        if not all(map(isfinite, ends)) or ends[0] > low or ends[1] < high:
            return cls(low, high)
        return cls(*ends)

    def place(self, value: float | None) -> float | None:
        if value is None or not isfinite(value):
            return None
        span = self.high - self.low
        if isfinite(span):
            return (value - self.low) / span
        # In halves, since the difference of two numbers may be too large for one.
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)

    def ticks(self, count: int = 5) -> list[float]:
        step, power = _step(self.low, self.high, count)
        first, last = _ratio(self.low, step, power), _ratio(self.high, step, power)
        # The ends of a domain of `over` are multiples, but for rounding.
        slack = 1e-9 * max(1.0, last - first)
        numbers = range(ceil(first - slack), floor(last + slack) + 1)
        return list(dict.fromkeys(_multiple(number, step, power) for number in numbers))


@dataclass(frozen=True)
class Log:
    """Equal ratios have equal lengths; zero and negative numbers have no place.

    Args:
        low: the start of the domain, positive.
        high: its end, above `low` and finite.
    """

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None]) -> Log:
        """A domain that holds all positive finite values; 1 … 10 where there are none."""
        positive = [value for value in _finite(values) if value > 0]
        if not positive:
            return cls(1.0, 10.0)
        low, high = min(positive), max(positive)
        if log10(high) - log10(low) < 0.01:
            low, high = max(low / 2, 5e-324), min(high * 2, _LARGEST)
        return cls(low, high)

    def place(self, value: float | None) -> float | None:
        if value is None or not isfinite(value) or value <= 0:
            return None
        return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))

    def ticks(self, count: int = 5) -> list[float]:
        first, last = log10(self.low), log10(self.high)
        decades = last - first
        if decades < 1:
            inside = Linear(self.low, self.high).ticks(count)
            return [tick for tick in inside if self.low <= tick <= self.high]
        mantissas = (1, 2, 5) if decades * 2 < count else (1,)
        stride = max(1, ceil(decades / count))
        powers = range(floor(first), ceil(last) + 1)
        ticks = [
            _multiple(1, mantissa, power)
            for power in powers
            if power % stride == 0
            for mantissa in mantissas
        ]
        return [tick for tick in ticks if self.low <= tick <= self.high]


@dataclass(frozen=True)
class Band:
    """An interval of equal length for each of several names or consecutive numbers.

    Args:
        count: the number of intervals.
    """

    count: int

    @property
    def width(self) -> float:
        """The length of an interval."""
        return 1 / max(1, self.count)

    def place(self, value: float | None) -> float | None:
        """The middle of the interval with this number."""
        return None if value is None else (value + 0.5) * self.width

    def ticks(self, count: int) -> list[float]:
        """Evenly spaced numbers, starting with 0."""
        return list(map(float, range(0, self.count, max(1, ceil(self.count / max(1, count))))))


def log_suits(values: Sequence[float | None]) -> bool:
    """Whether a logarithmic scale suits: all finite values are positive and span two decades."""
    finite = _finite(values)
    return bool(finite) and min(finite) > 0 and log10(max(finite)) - log10(min(finite)) >= 2


def _finite(values: Iterable[float | None]) -> list[float]:
    return [float(value) for value in values if value is not None and isfinite(value)]


def _step(low: float, high: float, count: int) -> tuple[int, int]:
    """The distance of ticks, as (multiple, power of ten)."""
    raw = high / max(1, count) - low / max(1, count)
    if raw <= 0:  # below the smallest number
        return 1, -323
    power = max(floor(log10(raw)), -323)
    multiple = next((m for m in _STEPS if _multiple(1, m, power) >= raw * (1 - 1e-9)), 10)
    return multiple, power


def _ratio(value: float, step: int, power: int) -> float:
    """How many steps a value is from zero."""
    unit = _multiple(1, step, power)
    ratio = value / unit if unit and isfinite(unit) else 0.0
    return ratio if isfinite(ratio) else 0.0


def _multiple(number: int, step: int, power: int) -> float:
    """number · step · 10^power, as the decimal says it: no 0.30000000000000004."""
    return float(f"{number * step}e{power}")
