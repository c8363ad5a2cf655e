"""What may be said of each row of a table: the best, tied with it, worse, or not compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan

import numpy as np

from nnrun.sweeps.board.comparable import Comparable, Member
from nnrun.sweeps.board.comparisons import (
    Array,
    Differences,
    paired_differences,
    unpaired_differences,
)
from nnrun.sweeps.board.statistics import CONFIDENCE
from nnrun.sweeps.progress import RunScore

BEST, PAIRED, UNPAIRED, NOT_COMPARED = "best", "paired", "unpaired", "not compared"


@dataclass(frozen=True)
class Verdict:
    """One row beside the best.

    Args:
        comparison: `best` for the row that others are compared with, `paired` over common seeds and
            splits, `unpaired` where splits differ, or `not compared`.
        note: why it was not compared.
        difference: of the means, this row less the best, over the runs that were compared.
        low: lower end of its 95% interval, which holds for all rows of the table at once; None
            where it leaves the range of numbers.
        high: its upper end.
        p: of the difference, adjusted for the whole table.
        tied: whether it was compared and cannot be told from the best.
    """

    comparison: str
    note: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    tied: bool = False


def verdicts(ranked: Sequence[Member], split: str, column: int, sign: int) -> list[Verdict]:
    """Of each row of a group, in its order.

    The best is the first row that can be compared: of one seed, or of the runs that others have
    left over, nobody knows how far they would have come.

    Args:
        ranked: the rows, the best first.
        split: that they are compared on.
        column: of that split among a run's metrics.
        sign: 1 where larger is better, else -1.
    """
    values = [_values(member, column, sign) for member in ranked]
    troubles = [_trouble(*both) for both in zip(ranked, values, strict=True)]
    found = [Verdict(NOT_COMPARED, trouble) for trouble in troubles]
    sound = [index for index, trouble in enumerate(troubles) if trouble is None]
    if not sound:
        return found
    best, *others = sound
    found[best] = Verdict(BEST)
    paired, unpaired = [], []
    for index in others:
        if not _same_splits(ranked[best][0], ranked[index][0]):
            unpaired.append(index)
        elif len(values[best].keys() & values[index].keys()) > 1:
            paired.append(index)
        else:
            found[index] = Verdict(NOT_COMPARED, "no two seeds in common with the best row")
    rows = 1 + len(paired) + len(unpaired)
    if paired:
        first = ranked[best][0]
        table = _by_seed([values[index] for index in (best, *paired)])
        differences = paired_differences(
            table,
            rows=rows,
            overlap=first.overlap.get(split, 0.0),
            resolution=_resolution(first, split),
        )
        _enter(found, paired, PAIRED, differences, sign)
    if unpaired:
        variants = [ranked[index][0] for index in (best, *unpaired)]
        differences = unpaired_differences(
            _side_by_side([[*values[index].values()] for index in (best, *unpaired)]),
            rows=rows,
            overlap=np.array([variant.overlap.get(split, 0.0) for variant in variants]),
            resolution=np.array([_resolution(variant, split) for variant in variants]),
        )
        _enter(found, unpaired, UNPAIRED, differences, sign)
    return found


def has_diverged(scores: Sequence[RunScore]) -> bool:
    """Whether any of the runs has."""
    return any(score.status == "diverged" for score in scores)


def _values(member: Member, column: int, sign: int) -> dict[int, float]:
    """The metric of each completed run, by its seed, larger is better."""
    return {
        score.seed: sign * number
        for score in member[1]
        if score.status == "completed" and (number := score.metrics[column]) is not None
    }


def _trouble(member: Member, values: dict[int, float]) -> str | None:
    """Why a row cannot be compared with any other; None if it can."""
    (variant, scores), planned = member, len(member[0].seeds)
    diverged = sum(score.status == "diverged" for score in scores)
    completed = sum(score.status == "completed" for score in scores)
    failed = planned - len(scores)
    if diverged:
        return f"{diverged:,} of {planned:,} runs diverged; those that are left flatter it"
    if failed > 0:
        return f"{failed:,} of {planned:,} runs failed"
    if len(values) < completed:
        return f"{completed - len(values):,} of {planned:,} runs have no finite {variant.metric}"
    return "a single seed shows no spread" if len(values) == 1 else None


def _same_splits(one: Comparable, other: Comparable) -> bool:
    """Whether runs of one seed have the same rows in the same splits."""
    return one.division == other.division and one.rows == other.rows


def _resolution(variant: Comparable, split: str) -> float:
    """The step between two values of the metric; 0 where there is none, or none is known."""
    rows = variant.rows.get(split, 0)
    return 1 / rows if variant.metric == "accuracy" and rows else 0.0


def _by_seed(values: Sequence[dict[int, float]]) -> Array:
    """A line for each row, a column for each seed of the first row."""
    return np.array([[row.get(seed, nan) for seed in values[0]] for row in values])


def _side_by_side(values: Sequence[list[float]]) -> Array:
    """A line for each row, filled up with NaN."""
    most = max(map(len, values))
    return np.array([row + [nan] * (most - len(row)) for row in values])


def _enter(
    found: list[Verdict], places: Sequence[int], how: str, differences: Differences, sign: int
) -> None:
    """Write the verdicts in, in the metric's own units and direction."""
    columns = (differences.mean, differences.low, differences.high, differences.p)
    for place, *numbers in zip(places, *(column.tolist() for column in columns), strict=True):
        mean, low, high, p = numbers
        if isnan(p):
            note = "always apart from the best row by the same: there is no noise to compare with"
            found[place] = Verdict(NOT_COMPARED, note, difference=_finite(-sign * mean))
            continue
        ends = sorted((-sign * low, -sign * high))
        found[place] = Verdict(
            comparison=how,
            difference=_finite(-sign * mean),
            low=_finite(ends[0]),
            high=_finite(ends[1]),
            p=p,
            tied=p > 1 - CONFIDENCE,
        )


def _finite(value: float) -> float | None:
    return value + 0.0 if isfinite(value) else None  # and no negative zero
