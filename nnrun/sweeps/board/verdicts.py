"""What is said of each row of a table: it may be the best, or it can be dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import hypot, isfinite, nan
from typing import Any, ClassVar

import numpy as np

from nnrun.config.names import SPLITS
from nnrun.config.settings import BESIDE, choice_words
from nnrun.metrics.table import is_share, span_of
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import Replicate
from nnrun.sweeps.active_runs import Member
from nnrun.sweeps.board.means import (
    AS_WRITTEN,
    CONFIDENCE,
    Standings,
    Table,
    beside_best,
    in_units,
    rounding_of,
    standings,
)
from nnrun.sweeps.board.published import Shown, shown_by, size_of
from nnrun.sweeps.board.variance import Array, Degrees, Design, Estimate, estimate, numbers
from nnrun.sweeps.planning.plan import Comparable

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
    """Verdict on each row of a group, in its order; and what difference the group could show.

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
    """Verdict in the metric's own units and direction, and within its range."""
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


# How models of scikit-learn do beside the best network of a table.


@dataclass(frozen=True)
class Beside:
    """A model beside the best of the networks.

    `network` is the best in these comparisons, each on the seeds that the two have in common, so
    that it may be another one than the first of the table. `difference` is that to its mean, in
    favour of the model: positive where it is better. `low` and `high` are the ends of its 95%
    interval, which holds for all models and networks of the table at once.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    model: str
    network: str
    difference: float
    low: float
    high: float


def beside_networks(ranked: Sequence[Member], split: str, column: int, sign: int) -> list[Beside]:
    """Reference models with two runs or more, in the order of the rows; none without a network.

    Networks with runs that diverged are left out, since the others flatter them. The arguments are
    those of `verdicts`.
    """
    if not any(BESIDE in variant.choice for variant, _ in ranked):
        return []
    known = [(member, values_of(completed_runs(member), column, sign)) for member in ranked]
    known = [(member, values) for member, values in known if len(values) > 1]
    members, values = [member for member, _ in known], [found for _, found in known]
    models = [i for i, (variant, _) in enumerate(members) if BESIDE in variant.choice]
    if not models or len(models) == len(members):
        return []
    table = table_of(members, values, split)
    networks = [i for i in range(len(members)) if i not in models]
    networks = [i for i in networks if table.sound[i]] or networks
    found = beside_best(table, np.array(models), np.array(networks))
    span = span_of(members[0][0].metric)
    low, high = (np.clip(end, -span, span) for end in (found.low, found.high))
    rows = zip(models, found.opponent, found.mean, low, high, strict=True)
    return [
        Beside(model_words(members[i][0].choice), members[j][0].label, *map(float, ends))
        for i, j, *ends in rows
        if all(map(isfinite, ends))
    ]


def model_words(choice: Mapping[str, Any]) -> str:
    """The model of a row, with what else was chosen for it."""
    others = {key: value for key, value in choice.items() if key != BESIDE}
    return " ".join([str(choice[BESIDE]), *choice_words(others)])


# Two rows that were chosen to be compared: one test, and not one of many.


@dataclass(frozen=True)
class PairTest:
    """The first row less the second.

    Args:
        first: its label.
        second: likewise.
        metric: that is compared, as `test accuracy`.
        paired: whether runs of one seed are pairs.
        n: the pairs; of rows that are not paired, the runs of the first row.
        n_second: the runs of the second row.
        difference: of the means.
        low: lower end of its 95% interval.
        high: its upper end.
        p: of a difference this large, either way, where there is none; None where nothing varies.
        degrees: of freedom of Student's t.
        overlap: rows tested per row trained on, as far as the seed draws them.
        assumed: what the test relies on, in words.
    """

    first: str
    second: str
    metric: str
    paired: bool
    n: int
    n_second: int
    difference: float
    low: float
    high: float
    p: float | None
    degrees: float
    overlap: float
    assumed: str


def pair_test(one: Member, other: Member, split: str) -> PairTest | None:
    """Student's paired test of two rows of the same data and metric on a split, over common
    replicates, else Welch's; None with too few runs.
    """
    column = SPLITS.index(split)
    values = [known_values(member, column) for member in (one, other)]
    common = [replicate for replicate in values[0] if replicate in values[1]]
    kinds = [kind_of_splits(member[0]) for member in (one, other)]
    paired = kinds[0] == kinds[1] and len(common) > 1
    overlaps = [member[0].overlap.get(split, 0.0) for member in (one, other)]
    unit, _ = in_units([value for row in values for value in row.values()] or [1.0])
    if paired:
        differences = {key: values[0][key] / unit - values[1][key] / unit for key in common}
        parts = [_estimate(differences, overlaps[0])]
        sizes = [len(common)] * 2
    elif min(map(len, values)) > 1:
        parts = [
            _estimate({key: value / unit for key, value in row.items()}, overlap)
            for row, overlap in zip(values, overlaps, strict=True)
        ]
        sizes = [len(row) for row in values]
    else:
        return None
    difference, error, degrees = _combined(parts)
    least = max(_rounding(row, unit) for row in values)  # what is smaller comes of rounding alone
    difference, error = (n * unit if abs(n) > least else 0.0 for n in (difference, error))
    half = float(degrees.quantile((1 - CONFIDENCE) / 2)) * error
    if not isfinite(difference) or not isfinite(half):
        return None
    overlap = max(overlaps)
    return PairTest(
        first=one[0].label,
        second=other[0].label,
        metric=f"{split} {one[0].metric}",
        paired=paired,
        n=sizes[0],
        n_second=sizes[1],
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=_p(difference, error, degrees),
        degrees=float(degrees.least),
        overlap=overlap,
        assumed=_assumed(paired, overlap),
    )


def _estimate(values: Mapping[Replicate, float], overlap: float) -> Estimate:
    return estimate(np.array([*values.values()]), design_of(values), overlap)


def _rounding(row: Mapping[Replicate, float], unit: float) -> float:
    return float(rounding_of(np.array([*row.values()]) / unit))


def _combined(parts: Sequence[Estimate]) -> tuple[float, float, Degrees]:
    """Mean, standard error and degrees of freedom of the first sample less the second, if any."""
    mean, *others = (float(part.mean) for part in parts)
    errors = [float(part.error) for part in parts]
    both = hypot(*errors)
    if not others:
        return mean, both, parts[0].degrees
    known = [float(part.degrees.least) for part in parts]
    shares = [(error / (both or 1.0)) ** 4 / own for error, own in zip(errors, known, strict=True)]
    degrees = 1 / sum(shares) if both else min(known)
    return mean - sum(others), both, Degrees(*numbers(degrees, 1, 1))


def _p(difference: float, error: float, degrees: Degrees) -> float | None:
    if error == 0:
        return 1.0 if difference == 0 else None
    return float(2 * degrees.tail(*numbers(abs(difference) / error)))


def _assumed(paired: bool, overlap: float) -> str:
    if paired:
        parts = ["pairs are runs of one seed on one split", "their differences are about normal"]
    else:
        parts = ["runs are unpaired, since splits or seeds differ", "both rows are about normal"]
    parts[1] += f" ({'Student' if paired else 'Welch'}'s t, two-sided)"
    if overlap:
        parts.append(
            "training sets overlap, so that the variance that splits cause counts "
            f"1/n + {overlap:.2g} times, for n splits (Nadeau and Bengio 2003)"
        )
    return "; ".join([*parts, "the two rows were chosen before looking at all of them"])
