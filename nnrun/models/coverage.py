"""Intervals and sets of predictions that hold the truth as often as they promise.

Conformal prediction: rows that a network was not trained on show how far off it is, in scores. Of a
new row, all values are predicted whose score is at most the quantile of these (Vovk, Gammerman and
Shafer 2005). Their share that is promised holds on average over rows like those.

The score of a value is its distance from the output, over a scale where several networks predict
with their mean: s² = a + b v + v / m, for a row on which they have the variance v, and of which m
networks are averaged. Rows held out from few members (the bootstrap of Kim, Xu and Barber 2020)
have a smaller m, and intervals are wider where members differ (Lei et al. 2018).

The score of a class is the probability of those before it, the likeliest first (Romano, Sesia and
Candès 2020): the likeliest class has 0, so that a set has one class at least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple, Self

import numpy as np

from nnrun.errors import UsageError
from nnrun.nn.signature import Array

MOST_SCORES = 2000
"""Of more scores, the smallest of each group of neighbours are left out."""


class HeldOut(NamedTuple):
    """Outputs for rows that were not trained on.

    Args:
        outputs: as the task takes them, (rows, outputs): numbers in units of training, or
            probabilities (rows, classes).
        truth: targets in the same units (rows, outputs), or class numbers (rows,).
        variance: of the networks' outputs, (rows, outputs); None of one network.
        times: how many networks each row's outputs are the mean of, (rows, 1).
    """

    outputs: Array
    truth: Array
    variance: Array | None = None
    times: Array | None = None


class Promise(NamedTuple):
    """What intervals or sets have to hold.

    Args:
        coverage: the share of rows whose truth they have.
        by_class: whether this holds for the rows of each class, and not of all together.
    """

    coverage: float
    by_class: bool = False

    @classmethod
    def of(cls, coverage: Any, *, by_class: bool = False) -> Self:
        """The promise as it was asked for.

        Raises: UsageError if the coverage is no share between 0 and 1.
        """
        if (
            isinstance(coverage, bool)
            or not isinstance(coverage, int | float)
            or not 0 < coverage < 1
        ):
            raise UsageError(f"the coverage {coverage!r} is no share between 0 and 1, such as 0.9")
        return cls(float(coverage), by_class)


@dataclass(frozen=True, eq=False)
class Covered:
    """Predictions with an interval or a set for each, in the order of the rows.

    Args:
        prediction: as of `predict`.
        low, high: the ends of intervals, in the target's units; None for classes.
        set: the labels that each row may have, a tuple, the likeliest first; None for numbers.
    """

    prediction: Array
    low: Array | None = None
    high: Array | None = None
    set: Array | None = None

    def __len__(self) -> int:
        return len(self.prediction)


@dataclass(frozen=True)
class Coverage:
    """What is known of a network's errors, by output for numbers and by class for classes.

    Args:
        source: `calibration`, `validation`, or `out_of_bag` of members with validation rows of
            their own.
        scores: ascending, those of each output or class.
        rows: how many there were of each before some were left out.
        scale: of each output, a and b; empty of one network, and for classes.
    """

    source: str
    scores: tuple[tuple[float, ...], ...]
    rows: tuple[int, ...]
    scale: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of_numbers(cls, held_out: HeldOut, source: str) -> Self:
        """Of a regression."""
        errors = np.abs(held_out.truth - held_out.outputs.astype(np.float64))
        scale: list[tuple[float, float]] = []
        if held_out.variance is not None:
            parts = (_broadcast(part, errors) for part in (held_out.variance, held_out.times))
            variance, times = parts
            scale = [
                _fitted(*columns) for columns in zip(errors.T, variance.T, times.T, strict=True)
            ]
            errors = errors / _scales(scale, variance, times)
        columns = [np.sort(column) for column in errors.T]
        kept = tuple(_thinned(column) for column in columns)
        return cls(source, kept, tuple(map(len, columns)), tuple(scale))

    @classmethod
    def of_classes(cls, held_out: HeldOut, source: str) -> Self:
        """Of a classification with probabilities."""
        before = _before(held_out.outputs)
        scores = np.take_along_axis(before, held_out.truth[:, np.newaxis], axis=1)[:, 0]
        columns = [np.sort(scores[held_out.truth == number]) for number in range(before.shape[1])]
        return cls(source, tuple(map(_thinned, columns)), tuple(map(len, columns)))

    def interval(
        self, outputs: Array, variance: Array | None, networks: int, coverage: float
    ) -> tuple[Array, Array]:
        """The ends (rows, outputs) in units of training.

        Args:
            outputs: the mean of the networks' outputs, (rows, outputs).
            variance: of these, (rows, outputs); None of one network.
            networks: how many there are.
            coverage: the share of rows whose value is between the ends.

        Raises: UsageError if there are too few rows for this coverage.
        """
        widths = np.array(
            [self._quantile([number], coverage) for number in range(len(self.scores))]
        )
        if self.scale and variance is not None:
            widths = widths * _scales(self.scale, variance, np.array([[networks]]))
        exact = outputs.astype(np.float64)
        return exact - widths, exact + widths

    def sets(self, probabilities: Array, promise: Promise) -> Array:
        """Whether each class is in the set of each row, (rows, classes).

        Args:
            probabilities: of each class, (rows, classes).
            promise: what sets have to hold.

        Raises: UsageError if there are too few rows for this coverage.
        """
        numbers = range(len(self.scores))
        groups = [[number] for number in numbers] if promise.by_class else [[*numbers]]
        limits = np.array([self._quantile(group, promise.coverage) for group in groups])
        return np.asarray(_before(probabilities) <= limits)

    def _quantile(self, numbers: Sequence[int], coverage: float) -> float:
        """The smallest score that is as large as this share of scores, and one more."""
        rows = sum(self.rows[number] for number in numbers)
        rank = _rank(rows, coverage)
        if rank > rows:
            needed = next(more for more in count(rows) if _rank(more, coverage) <= more)
            raise UsageError(
                f"a coverage of {coverage:g} needs {needed} rows that the network was not trained "
                f"on, and there are {rows}; ask for less, or hold out more (calibration_size)"
            )
        # Each score that was kept stands for those below it that were left out.
        scores = np.concatenate([self.scores[number] for number in numbers])
        stands = np.concatenate([_ranks(self.rows[number]) for number in numbers])
        order = np.argsort(scores, kind="stable")
        place = int(np.searchsorted(np.cumsum(stands[order]), rank))
        return float(scores[order][place])

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        lists = {"scores": [*map(list, self.scores)], "rows": [*self.rows]}
        scale = {"scale": [*map(list, self.scale)]} if self.scale else {}
        return {"source": self.source, **lists, **scale}


def _before(probabilities: Array) -> Array:
    """The probability of the classes before each, the likeliest first: (rows, classes)."""
    exact = probabilities.astype(np.float64)
    order = np.argsort(-exact, axis=1, kind="stable")
    ordered = np.take_along_axis(exact, order, axis=1)
    found = np.empty_like(exact)
    np.put_along_axis(found, order, np.cumsum(ordered, axis=1) - ordered, axis=1)
    return found


def _scales(scale: Sequence[tuple[float, float]], variance: Array, times: Array) -> Array:
    a, b = np.array(scale).T
    scales: Array = np.sqrt(a + b * variance + variance / times)
    return scales


def _fitted(error: Array, variance: Array, times: Array) -> tuple[float, float]:
    """a and b by least squares of e² - v / m, neither below 0."""
    rest = error**2 - variance / times
    spread = variance - variance.mean()
    slope = float(spread @ rest) / (float(spread @ spread) or 1.0)
    b = max(slope, 0.0)
    a = max(float((rest - b * variance).mean()), 1e-6 * float((error**2).mean()), 1e-300)
    return a, b


def _broadcast(part: Array | None, like: Array) -> Array:
    assert part is not None  # both come together
    return np.broadcast_to(part, like.shape).astype(np.float64)


def _rank(rows: int, coverage: float) -> int:
    """The rank of the score up to which values are predicted; rounding adds no row to it."""
    return math.ceil((rows + 1) * coverage - 1e-9)


def _thinned(scores: Array) -> tuple[float, ...]:
    places = np.cumsum(_ranks(len(scores))) - 1
    return tuple(scores[places].tolist())


def _ranks(rows: int) -> Array:
    """How many scores each one that is kept stands for: itself, and those left out below it."""
    kept = min(rows, MOST_SCORES)
    ends = np.arange(1, kept + 1) * rows // max(kept, 1)
    return np.diff(ends, prepend=0)
