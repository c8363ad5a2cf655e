"""What is said of each row of a table: it may be the best, or it can be dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, nan

import numpy as np

from nnrun.metrics.table import is_share, span_of
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.replicate import Replicate
from nnrun.sweeps.board.comparison.comparisons import Standings, Table, standings
from nnrun.sweeps.board.comparison.design import Shown, shown_by, size_of
from nnrun.sweeps.board.comparison.statistics import in_units
from nnrun.sweeps.board.variance.components import estimate
from nnrun.sweeps.board.variance.sharing import Array, Design
from nnrun.sweeps.planning.comparable import Comparable
from nnrun.sweeps.progress import Member

Runs = Mapping[Replicate, RunSummary]
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
    ranked: Sequence[Member], runs: Sequence[Runs], split: str, column: int, sign: int
) -> tuple[list[Verdict], Shown | None]:
    """Of each row of a group, in its order; and what difference the group could show.

    A row of one run is not compared, and cannot be dropped: a single seed shows no spread. Rows
    with runs that diverged or failed are compared by the runs that are left; where some diverged,
    those flatter the row, and it drops no others.

    `ranked` are the rows, the best first, and `runs` the completed runs of each; they are compared
    on `split`, the `column` of a run's metrics. `sign` is 1 where larger is better, else -1.
    """
    values = [values_of(completed, column, sign) for completed in runs]
    notes = [_note(*row) for row in zip(ranked, runs, values, strict=True)]
    found = [
        Verdict(NOT_COMPARED, note, tied=bool(known))
        for note, known in zip(notes, values, strict=True)
    ]
    places = [place for place, known in enumerate(values) if len(known) > 1]
    if len(places) < 2:
        return found, None
    compared = [values[place] for place in places]
    result = standings(table_of([ranked[place] for place in places], compared, split))
    for index, place in enumerate(places):
        found[place] = _verdict(result, index, sign, notes[place], ranked[place][0].metric)
    usual = sorted(compared, key=len)[len(compared) // 2]
    overlap = ranked[places[0]][0].overlap.get(split, 0.0)
    return found, shown_by(result, size_of(usual), overlap)


def table_of(
    members: Sequence[Member], values: Sequence[Mapping[Replicate, float]], split: str
) -> Table:
    """The table of rows with these values, larger is better; `split` is the one compared on."""
    variants = [variant for variant, _ in members]
    return Table(
        *_table(values),
        _splits(variants),
        np.array([variant.overlap.get(split, 0.0) for variant in variants]),
        np.array([_resolution(variant, split) for variant in variants]),
        np.array([_sound(*both) for both in zip(members, values, strict=True)]),
    )


def completed_runs(member: Member) -> dict[Replicate, RunSummary]:
    """The runs that a row is about."""
    variant, scores = member
    return {
        score.replicate.resolved(drawn=variant.drawn): score
        for score in scores
        if score.status == "completed"
    }


def known_values(member: Member, column: int) -> dict[Replicate, float]:
    """The metric of each completed run, by its replicate."""
    return values_of(completed_runs(member), column)


def values_of(runs: Runs, column: int, sign: int = 1) -> dict[Replicate, float]:
    """The metric of each run that has one, times the sign."""
    return {
        replicate: sign * number
        for replicate, score in runs.items()
        if (number := score.by_split[column]) is not None
    }


def design_of(replicates: Iterable[Replicate]) -> Design:
    """Which of these share a split or weights; every fold has its own of both.

    Without a seed that draws it, the split of all runs of a fold is one.
    """
    return _design(tuple(replicates))


@lru_cache(maxsize=64)  # most rows of a table have the same replicates
def _design(replicates: tuple[Replicate, ...]) -> Design:
    return Design.of([((r.split_seed, r.fold), (r.seed, r.fold)) for r in replicates])


def shares_of(values: Mapping[Replicate, float]) -> dict[str, float] | None:
    """The parts of a row's variance by what they come from; None where that is not known."""
    design = design_of(values)
    if not design.shares or len(values) < 2:
        return None
    found = estimate(in_units([*values.values()])[1], design)
    total = float(found.components.total)
    if total == 0 or not (found.layout.same_split and found.layout.same_weights):
        return None
    names = ("split", "weights", "both")
    return {name: float(part) / total for name, part in zip(names, found.components, strict=True)}


def _note(member: Member, runs: Runs, values: Mapping[Replicate, float]) -> str | None:
    """Which runs have no result, or that there is only one run; None where there is no such."""
    (variant, scores), planned = member, member[0].planned
    if 1 < len(values) == len(scores) == planned:
        return None
    diverged = sum(score.status == "diverged" for score in scores)
    stopped = sum(score.status == "stopped" for score in scores)
    completed = len(runs)
    failed = planned - len(scores)
    parts = [
        f"{number:,} of {planned:,} runs {what}"
        for number, what in (
            (diverged, "diverged"),
            (stopped, "were stopped"),
            (failed, "failed"),
            (completed - len(values), f"have no finite {variant.metric}"),
        )
        if number > 0
    ]
    if len(values) == 1:
        parts.append("a single run shows no spread")
    return "; ".join(parts) or None


def _sound(member: Member, values: Mapping[Replicate, float]) -> bool:
    """Whether all runs that ended have a result."""
    variant, scores = member
    if len(values) == len(scores):
        return True
    return len(values) == len({s.replicate.resolved(drawn=variant.drawn) for s in scores})


def kind_of_splits(variant: Comparable) -> tuple[str, int]:
    """Equal where runs of one replicate have the same rows in the same splits."""
    return variant.division, round(sum(variant.rows.values()))


def _splits(variants: Sequence[Comparable]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """A number for each kind of splits."""
    numbers: dict[object, int] = {}
    return np.array(
        [numbers.setdefault(kind_of_splits(v), len(numbers)) for v in variants], dtype=np.intp
    )


def _resolution(variant: Comparable, split: str) -> float:
    """The step between two values of the metric; 0 where there is none, or none is known."""
    rows = variant.rows.get(split, 0)
    return 1 / rows if is_share(variant.metric) and rows else 0.0


def _table(values: Sequence[Mapping[Replicate, float]]) -> tuple[Array, Design]:
    """A line for each row, a column for each replicate that any of them has."""
    replicates = dict.fromkeys(replicate for row in values for replicate in row)
    table = np.array([[row.get(replicate, nan) for replicate in replicates] for row in values])
    return table, design_of(replicates)


def _verdict(found: Standings, index: int, sign: int, note: str | None, metric: str) -> Verdict:
    """In the metric's own units and direction, and within its range."""
    span = span_of(metric)
    ends = sorted(
        min(max(sign * float(end[index]), -span), span) for end in (found.low, found.high)
    )
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
