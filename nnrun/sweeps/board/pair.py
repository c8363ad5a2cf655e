"""Two rows that were chosen to be compared: one test, and not one of many."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import fmean, variance

from nnrun.config.names import SPLITS
from nnrun.config.settings import choice_words
from nnrun.sweeps.board.comparable import Member
from nnrun.sweeps.board.statistics import CONFIDENCE, t_quantile
from nnrun.sweeps.board.verdicts import known_values, same_splits


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
    """Student's paired test over common seeds and splits, else Welch's; None with too few runs.

    Variances of means are s²·(1/n + n_test/n_train) where seeds draw the splits (Nadeau and Bengio,
    Machine Learning 52, 2003).

    Args:
        one: a row.
        other: one of the same data and metric.
        split: that they are compared on.
    """
    column = SPLITS.index(split)
    values = [known_values(member, column) for member in (one, other)]
    common = [seed for seed in values[0] if seed in values[1]]
    paired = same_splits(one[0], other[0]) and len(common) > 1
    overlaps = [member[0].overlap.get(split, 0.0) for member in (one, other)]
    if paired:
        found = _paired([values[0][s] - values[1][s] for s in common], overlaps[0])
        sizes = [len(common)] * 2
    elif min(map(len, values)) > 1:
        found = _welch([[*row.values()] for row in values], overlaps)
        sizes = [len(row) for row in values]
    else:
        return None
    difference, error, degrees = found
    half = t_quantile((1 + CONFIDENCE) / 2, degrees) * error
    if not isfinite(difference) or not isfinite(half):
        return None
    overlap = max(overlaps)
    return PairTest(
        first=_label(one),
        second=_label(other),
        metric=f"{split} {one[0].metric}",
        paired=paired,
        n=sizes[0],
        n_second=sizes[1],
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=_p(difference, error, degrees),
        degrees=degrees,
        overlap=overlap,
        assumed=_assumed(paired, overlap),
    )


def _paired(differences: list[float], overlap: float) -> tuple[float, float, float]:
    """Mean, its standard error and degrees of freedom."""
    n = len(differences)
    return fmean(differences), _error(differences, overlap), float(n - 1)


def _welch(values: list[list[float]], overlaps: list[float]) -> tuple[float, float, float]:
    errors = [_error(*both) for both in zip(values, overlaps, strict=True)]
    both = sqrt(errors[0] ** 2 + errors[1] ** 2)
    difference = fmean(values[0]) - fmean(values[1])
    if both == 0:
        return difference, 0.0, float(min(map(len, values)) - 1)
    shares = [(e / both) ** 4 / (len(v) - 1) for e, v in zip(errors, values, strict=True)]
    return difference, both, 1 / sum(shares)


def _error(values: list[float], overlap: float) -> float:
    unit = max(map(abs, values)) or 1.0  # no square leaves the range of numbers
    spread = variance([value / unit for value in values])
    return unit * sqrt(spread * (1 / len(values) + overlap))


def _p(difference: float, error: float, degrees: float) -> float | None:
    from scipy.special import stdtr  # noqa: PLC0415  # slow to import

    if error == 0:
        return 1.0 if difference == 0 else None
    return float(2 * stdtr(degrees, -abs(difference) / error))


def _assumed(paired: bool, overlap: float) -> str:
    if paired:
        parts = ["pairs are runs of one seed on one split", "their differences are about normal"]
    else:
        parts = ["runs are unpaired, since splits or seeds differ", "both rows are about normal"]
    parts[1] += f" ({'Student' if paired else 'Welch'}'s t, two-sided)"
    if overlap:
        parts.append(
            "splits overlap, so that the variance of a mean is s²·(1/n + "
            f"{overlap:.2g}) (Nadeau and Bengio 2003)"
        )
    return "; ".join([*parts, "the two rows were chosen before looking at all of them"])


def _label(member: Member) -> str:
    return " ".join([member[0].name, *choice_words(member[0].choice)])
