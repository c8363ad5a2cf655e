"""Two rows that were chosen to be compared: one test, and not one of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot, isfinite

import numpy as np

from nnrun.config.names import SPLITS
from nnrun.runs.replicate import Replicate
from nnrun.sweeps.board.comparison.statistics import CONFIDENCE, in_units, rounding_of
from nnrun.sweeps.board.comparison.verdicts import design_of, kind_of_splits, known_values
from nnrun.sweeps.board.variance.components import Estimate, estimate
from nnrun.sweeps.board.variance.degrees import Degrees
from nnrun.sweeps.board.variance.sharing import numbers
from nnrun.sweeps.progress import Member


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
