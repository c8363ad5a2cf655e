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

Rows of one group resemble each other, so groups are counted in place of rows: each stands for one,
however many rows it has, as it does in the promise for a row of a new group, one more of them (Lee,
Barber and Willett 2023).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
        groups: the group of each row, (rows,); None where rows are apart.
    """

    outputs: Array
    truth: Array
    variance: Array | None = None
    times: Array | None = None
    groups: Array | None = None

    def by_group(self, values: Array) -> Array:
        """The means of values (rows, outputs) in each group; the values where rows are apart."""
        if self.groups is None:
            return values
        of_row = np.unique(self.groups, return_inverse=True)[1]
        means = np.zeros((int(of_row.max()) + 1, values.shape[1]))
        np.add.at(means, of_row, values * self.shares()[:, np.newaxis])
        return means

    def shares(self) -> Array:
        """The share of its group that each row is; 1 where rows are apart."""
        if self.groups is None:
            return np.ones(len(self.outputs))
        _, of_row, rows = np.unique(self.groups, return_inverse=True, return_counts=True)
        return np.asarray(1 / rows[of_row])


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
        outside: how rows are unlike those of training, blank where they are not; None if that is
            not asked for.
    """

    prediction: Array
    low: Array | None = None
    high: Array | None = None
    set: Array | None = None
    outside: Array | None = None

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
        groups: how many groups the rows are of; 0 where rows are apart.
        stands: of groups, for what share of one each score stands that was kept, as in `scores`.
    """

    source: str
    scores: tuple[tuple[float, ...], ...]
    rows: tuple[int, ...]
    scale: tuple[tuple[float, float], ...] = ()
    groups: int = 0
    stands: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of_numbers(cls, held_out: HeldOut, source: str) -> Self:
        """Coverage of a regression."""
        errors = np.abs(held_out.truth - held_out.outputs.astype(np.float64))
        scale: list[tuple[float, float]] = []
        if held_out.variance is not None:
            parts = (_broadcast(part, errors) for part in (held_out.variance, held_out.times))
            variance, times = parts
            scale = [
                _fitted(*columns) for columns in zip(errors.T, variance.T, times.T, strict=True)
            ]
            errors = errors / scales(scale, variance, times)
        every = np.ones(len(errors), np.bool_)
        return cls._of([(column, every) for column in errors.T], held_out, source, tuple(scale))

    @classmethod
    def of_classes(cls, held_out: HeldOut, source: str) -> Self:
        """Coverage of a classification with probabilities."""
        before = likelier(held_out.outputs)
        scores = np.take_along_axis(before, held_out.truth[:, np.newaxis], axis=1)[:, 0]
        classes = range(before.shape[1])
        parts = [(scores, held_out.truth == number) for number in classes]
        return cls._of(parts, held_out, source)

    @classmethod
    def _of(
        cls,
        parts: Sequence[tuple[Array, Array]],
        held_out: HeldOut,
        source: str,
        scale: tuple[tuple[float, float], ...] = (),
    ) -> Self:
        """The coverage by the scores of rows and which of these count, for each output or class."""
        share = held_out.shares()
        scores, stands, rows = [], [], []
        for each, counted in parts:
            order = np.argsort(each[counted], kind="stable")
            ends = np.cumsum(_ranks(len(order)))
            scores.append(tuple(each[counted][order][ends - 1].tolist()))
            rows.append(len(order))
            sums = np.cumsum(share[counted][order])[ends - 1]
            stands.append(tuple(np.diff(sums, prepend=0).tolist()))
        if held_out.groups is None:
            return cls(source, tuple(scores), tuple(rows), scale)
        groups = len(np.unique(held_out.groups))
        return cls(source, tuple(scores), tuple(rows), scale, groups, tuple(stands))

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
        widths = self.limits(coverage, [[number] for number in range(len(self.scores))])
        if self.scale and variance is not None:
            widths = widths * scales(self.scale, variance, networks)
        exact = outputs.astype(np.float64)
        return exact - widths, exact + widths

    def sets(self, probabilities: Array, promise: Promise) -> Array:
        """Whether each class is in the set of each row, (rows, classes).

        Args:
            probabilities: of each class, (rows, classes).
            promise: what sets have to hold.

        Raises: UsageError if there are too few rows for this coverage.
        """
        return np.asarray(likelier(probabilities) <= self.set_limits(promise))

    def set_limits(self, promise: Promise) -> Array:
        """Up to which score a class is in a set: a number for all classes, or one for each.

        Raises: UsageError if there are too few rows for this coverage.
        """
        numbers = range(len(self.scores))
        together = [[number] for number in numbers] if promise.by_class else [[*numbers]]
        return self.limits(promise.coverage, together)

    def limits(self, coverage: float, together: Iterable[Sequence[int]]) -> Array:
        """The quantile of the scores of these outputs or classes together, each.

        Raises: UsageError if there are too few rows for this coverage.
        """
        try:
            found = [quantile(*self.joined(each), coverage, self.units) for each in together]
            return np.array(found)
        except ValueError as error:
            raise UsageError(str(error)) from None

    @property
    def units(self) -> str:
        """What is counted."""
        return "groups" if self.groups else "rows"

    def joined(self, numbers: Sequence[int]) -> tuple[Array, Array, int]:
        """The scores of these outputs or classes, for how many rows or groups each stands, and how
        many of these there are.
        """
        scores = np.concatenate([self.scores[number] for number in numbers])
        if self.groups:
            stands = np.concatenate([self.stands[number] for number in numbers])
            return scores, stands, self.groups
        stands = np.concatenate([_ranks(self.rows[number]) for number in numbers])
        return scores, stands, sum(self.rows[number] for number in numbers)

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        lists = {"scores": [*map(list, self.scores)], "rows": [*self.rows]}
        scale = {"scale": [*map(list, self.scale)]} if self.scale else {}
        stands = {"groups": self.groups, "stands": [*map(list, self.stands)]} if self.groups else {}
        return {"source": self.source, **lists, **scale, **stands}


# Scripts take these functions over with their source.


def quantile(scores: Array, stands: Array, rows: int, coverage: float, units: str) -> float:
    """The score up to which this share of all rows lies, and of one more row, which is beyond all.

    Args:
        scores: of rows.
        stands: for how many rows each of them stands: itself, and those left out below it.
        rows: how many there are, or groups where these are counted.
        coverage: the share.
        units: what is counted, for errors.

    Raises: ValueError if there are too few.
    """
    rank = (rows + 1) * coverage - 1e-9  # rounding adds no row
    order = np.argsort(scores, kind="stable")
    totals = np.cumsum(stands[order])
    if not len(totals) or rank > totals[-1]:
        raise ValueError(
            f"a coverage of {coverage:g} needs {math.ceil(coverage / (1 - coverage) - 1e-6)} "
            f"{units} that the network was not trained on, and there are {rows}; ask for less, or "
            "hold out more (calibration_size)"
        )
    return float(scores[order][np.searchsorted(totals, rank)])


def likelier(probabilities: Array) -> Array:
    """The probability of the classes before each, the likeliest first: (rows, classes)."""
    exact = probabilities.astype(np.float64)
    order = np.argsort(-exact, axis=1, kind="stable")
    ordered = np.take_along_axis(exact, order, axis=1)
    found = np.empty_like(exact)
    np.put_along_axis(found, order, np.cumsum(ordered, axis=1) - ordered, axis=1)
    return found


def scales(scale: Sequence[tuple[float, float]], variance: Array, times: Array | int) -> Array:
    """Divisors of the distances of rows with this variance, for each output."""
    a, b = np.array(scale).T
    return np.asarray(np.sqrt(a + b * variance + variance / times))


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


def _ranks(rows: int) -> Array:
    """How many scores each one that is kept stands for: itself, and those left out below it."""
    kept = min(rows, MOST_SCORES)
    ends = np.arange(1, kept + 1) * rows // max(kept, 1)
    return np.diff(ends, prepend=0)
