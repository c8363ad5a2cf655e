"""Scales map values to places: the domain to 0 … 1.

Values without a place (None, NaN, sizes beyond 1e300, on log scales zero and less) leave a gap in a
chart. The limit keeps differences and round ends of domains within the range of floats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TypeGuard

# Multiples of powers of ten that ticks may have.
_STEPS = (1, 2, 5, 10)
# Beyond this size, values have no place.
_LARGEST = 1e300
# The distance of ticks is at least this.
_LEAST_STEP = 1e-305


@dataclass(frozen=True)
class Linear:
    """Equal differences have equal lengths.

    Both ends of the domain are finite.
    """

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None], *, zero: bool = False, count: int = 5) -> Linear:
        """A domain with round ends that holds all values with a place.

        The ends are multiples of the distance of `count` ticks; a constant is in the middle.
        """
        known = _placeable(values)
        if not known:
            return cls(0.0, 1.0)
        low, high = min(known), max(known)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if low == high:
            room = abs(low) / 2 or 1.0
            low, high = low - room, high + room
        step, power = _step(low, high, count)
        unit = _multiple(1, step, power)
        start, end = floor(low / unit), ceil(high / unit)
        # Multiples are rounded, possibly to the wrong side of a value.
        return cls(min(low, _multiple(start, step, power)), max(high, _multiple(end, step, power)))

    @classmethod
    def between(cls, values: Iterable[float | None]) -> Linear:
        """A domain from the smallest value to the largest; as `over` where these are equal."""
        known = _placeable(values)
        low, high = min(known, default=0.0), max(known, default=0.0)
        return cls(low, high) if low < high else cls.over(known)

    def place(self, value: float | None) -> float | None:
        """The place of a value: 0 at the start of the domain, 1 at its end; None if it has none."""
        return (value - self.low) / (self.high - self.low) if _is_placeable(value) else None

    def ticks(self, count: int) -> list[float]:
        """About this many round values within the domain."""
        step, power = _step(self.low, self.high, count)
        unit = _multiple(1, step, power)
        first, last = self.low / unit, self.high / unit
        # The ends of a domain of `over` are multiples, but for rounding.
        slack = 1e-9 * max(1.0, last - first)
        numbers = range(ceil(first - slack), floor(last + slack) + 1)
        return list(dict.fromkeys(_multiple(number, step, power) for number in numbers))


@dataclass(frozen=True)
class Log:
    """Equal ratios have equal lengths; zero and negative numbers have no place.

    Both ends of the domain are positive and finite.
    """

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None]) -> Log:
        """A domain that holds all positive values with a place; 1 … 10 if there are none."""
        positive = [value for value in _placeable(values) if value > 0]
        if not positive:
            return cls(1.0, 10.0)
        low, high = min(positive), max(positive)
        if log10(high) - log10(low) < 0.01:
            low, high = max(low / 2, 5e-324), high * 2
        return cls(low, high)

    def place(self, value: float | None) -> float | None:
        if not _is_placeable(value) or value <= 0:
            return None
        return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))

    def ticks(self, count: int) -> list[float]:
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


Scale = Linear | Log
"""Scales of axes, with the same methods."""


def log_suits(values: Sequence[float | None]) -> bool:
    """Whether a logarithmic scale suits: all finite values are positive and span two decades."""
    known = _placeable(values)
    return bool(known) and min(known) > 0 and log10(max(known)) - log10(min(known)) >= 2


def _placeable(values: Iterable[float | None]) -> list[float]:
    return [float(value) for value in values if _is_placeable(value)]


def _is_placeable(value: float | None) -> TypeGuard[float]:
    return value is not None and abs(value) <= _LARGEST


def _step(low: float, high: float, count: int) -> tuple[int, int]:
    """The distance of ticks, as (multiple, power of ten)."""
    raw = max((high - low) / max(1, count), _LEAST_STEP)
    power = floor(log10(raw))
    multiple = next((m for m in _STEPS if _multiple(1, m, power) >= raw * (1 - 1e-9)), 10)
    return multiple, power


def _multiple(number: int, step: int, power: int) -> float:
    """number · step · 10^power, as the decimal says it: no 0.30000000000000004."""
    return float(f"{number * step}e{power}")
