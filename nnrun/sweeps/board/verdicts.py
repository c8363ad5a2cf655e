"""What is said of each row of a table: it may be the best, or it can be dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np

from nnrun.sweeps.board.comparable import Comparable, Member
from nnrun.sweeps.board.comparisons import Array, Standings, Table, standings
from nnrun.sweeps.board.design import Shown, shown_by

PAIRED, UNPAIRED, NOT_COMPARED = "paired", "unpaired", "not compared"


@dataclass(frozen=True)
class Verdict:
    """One row beside the best of the others.

    Args:
        comparison: `paired` with the best of the others over common seeds and splits, `unpaired`
            where splits or seeds differ, or `not compared`.
        note: what a reader should know of it: why it was not compared, which runs are missing.
        difference: of the means, this row less the best of the others.
        low: lower end of its 95% interval, which holds for all rows of the table at once; None
            where it leaves the range of numbers.
        high: its upper end.
        p: the smallest level at which the row could be dropped.
        tied: whether it may be the best: there is no row that is better beyond chance.
    """

    comparison: str
    note: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    tied: bool = True


def verdicts(
    ranked: Sequence[Member], split: str, column: int, sign: int
) -> tuple[list[Verdict], Shown | None]:
    """Of each row of a group, in its order; and what difference the group could show.

    A row of one run is not compared, and cannot be dropped: a single seed shows no spread. Rows
    with runs that diverged or failed are compared by the runs that are left; where some diverged,
    those flatter the row, and it drops no others.

    Args:
        ranked: the rows, the best first.
        split: that they are compared on.
        column: of that split among a run's metrics.
        sign: 1 where larger is better, else -1.
    """
    values = [_values(member, column, sign) for member in ranked]
    notes = [_note(*both) for both in zip(ranked, values, strict=True)]
    found = [
        Verdict(NOT_COMPARED, note, tied=bool(known))
        for note, known in zip(notes, values, strict=True)
    ]
    places = [place for place, known in enumerate(values) if len(known) > 1]
    if len(places) < 2:
        return found, None
    variants = [ranked[place][0] for place in places]
    result = standings(
        Table(
            _by_seed([values[place] for place in places]),
            _splits(variants),
            np.array([variant.overlap.get(split, 0.0) for variant in variants]),
            np.array([_resolution(variant, split) for variant in variants]),
            np.array([_sound(ranked[place], values[place]) for place in places]),
        )
    )
    for index, place in enumerate(places):
        found[place] = _verdict(result, index, sign, notes[place])
    return found, shown_by(result, variants[0].overlap.get(split, 0.0))


def known_values(member: Member, column: int) -> dict[int, float]:
    """The metric of each completed run, by its seed."""
    return _values(member, column, 1)


def same_splits(one: Comparable, other: Comparable) -> bool:
    """Whether runs of one seed have the same rows in the same splits."""
    return _kind(one) == _kind(other)


def _values(member: Member, column: int, sign: int) -> dict[int, float]:
    """The metric of each completed run, by its seed, larger is better."""
    return {
        score.seed: sign * number
        for score in member[1]
        if score.status == "completed" and (number := score.metrics[column]) is not None
    }


def _note(member: Member, values: dict[int, float]) -> str | None:
    """Which runs have no result, or that there is only one run; None where there is no such."""
    (variant, scores), planned = member, len(member[0].seeds)
    diverged = sum(score.status == "diverged" for score in scores)
    completed = sum(score.status == "completed" for score in scores)
    failed = planned - len(scores)
    parts = [
        f"{number:,} of {planned:,} runs {what}"
        for number, what in (
            (diverged, "diverged"),
            (failed, "failed"),
            (completed - len(values), f"have no finite {variant.metric}"),
        )
        if number > 0
    ]
    if len(values) == 1:
        parts.append("a single run shows no spread")
    return "; ".join(parts) or None


def _sound(member: Member, values: dict[int, float]) -> bool:
    """Whether all runs that ended have a result."""
    return len(values) == len(member[1])


def _kind(variant: Comparable) -> tuple[str, tuple[tuple[str, int], ...]]:
    return variant.division, tuple(sorted(variant.rows.items()))


def _splits(variants: Sequence[Comparable]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """A number for each kind of splits."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(_kind(v), len(numbers)) for v in variants], dtype=np.intp)


def _resolution(variant: Comparable, split: str) -> float:
    """The step between two values of the metric; 0 where there is none, or none is known."""
    rows = variant.rows.get(split, 0)
    return 1 / rows if variant.metric == "accuracy" and rows else 0.0


def _by_seed(values: Sequence[dict[int, float]]) -> Array:
    """A line for each row, a column for each seed that any of them has."""
    seeds = dict.fromkeys(seed for row in values for seed in row)
    return np.array([[row.get(seed, nan) for seed in seeds] for row in values])


def _verdict(found: Standings, index: int, sign: int, note: str | None) -> Verdict:
    """In the metric's own units and direction."""
    ends = sorted((sign * float(found.low[index]), sign * float(found.high[index])))
    return Verdict(
        comparison=PAIRED if found.paired[index] else UNPAIRED,
        note=note,
        difference=_finite(sign * float(found.difference[index])),
        low=_finite(ends[0]),
        high=_finite(ends[1]),
        p=float(found.p[index]),
        tied=bool(found.kept[index]),
    )


def _finite(value: float) -> float | None:
    return value + 0.0 if isfinite(value) else None  # and no negative zero
