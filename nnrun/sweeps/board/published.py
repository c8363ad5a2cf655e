"""Published numbers beside the distribution of ours, and the design behind a comparison."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from math import frexp, isfinite, ldexp, sqrt
from pathlib import Path
from typing import ClassVar

import numpy as np

from nnrun.config.names import SPLITS
from nnrun.data.readers.opening import open_named
from nnrun.errors import UsageError
from nnrun.runs.record import Replicate
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.board.means import AS_WRITTEN, CONFIDENCE, Standings, Summary, summarize
from nnrun.sweeps.board.variance import Components, Layout, error_of, numbers

# What a sweep of this design could show, and what more seeds or splits would.

POWER = 0.8


@dataclass(frozen=True)
class Size:
    """How many runs each row has.

    Args:
        seeds: of everything random, but for the split where `splits` are given.
        splits: seeds of splits, crossed with `seeds`; None where each seed draws its own split.
        folds: of each split.
    """

    seeds: int
    splits: int | None = None
    folds: int = 1

    @property
    def words(self) -> str:
        """`20 seeds`, `10 folds × 3 seeds`, `5 splits × 4 seeds of weights`."""
        crossed = self.splits is not None and self.splits > 1
        parts = [
            (self.folds, "fold") if self.folds > 1 else None,
            (self.splits, "split") if crossed else None,
            (self.seeds, "seed") if self.seeds > 1 or not (crossed or self.folds > 1) else None,
        ]
        words = [f"{part[0]:,} {part[1]}{'s' * (part[0] != 1)}" for part in parts if part]
        return " × ".join(words) + " of weights" * (crossed and self.seeds > 1)

    @property
    def layout(self) -> Layout:
        """Layout of this many replicates."""
        weights = self.folds * self.seeds
        splits = self.folds * (self.seeds if self.splits is None else self.splits)
        number = weights * (1 if self.splits is None else self.splits)
        sharing = [np.asarray(number > each) for each in (splits, weights)]
        n, j, k, of_split, of_weights = numbers(number, splits, weights, 1 / splits, 1 / weights)
        return Layout(n, j, k, sharing[0], sharing[1], of_split, of_weights)

    def larger(self) -> list[Size]:
        """What could be tried next."""
        if self.splits is None or self.splits == 1:
            return [replace(self, seeds=times * self.seeds) for times in (2, 4)]
        more = replace(self, splits=2 * self.splits)
        if self.seeds == 1:
            return [more, replace(self, splits=4 * self.splits)]
        return [more, replace(self, seeds=2 * self.seeds), replace(more, seeds=2 * self.seeds)]


def size_of(replicates: Iterable[Replicate]) -> Size:
    """The size of the design of these."""
    several = [*replicates]
    pairs = {(one.seed, one.split_seed) for one in several}
    seeds, splits = (len({pair[place] for pair in pairs}) for place in (0, 1))
    folds = len({one.fold for one in several})
    own = len(pairs) == seeds == splits
    return Size(seeds, None if own else splits, folds)


@dataclass(frozen=True)
class Shown:
    """The smallest differences that are shown, in the units of the metric.

    A row that is worse than the best by so much is dropped in four of five sweeps.

    Args:
        design: the runs of each row, in words.
        difference: with these.
        larger: with larger designs, by their words.
        limit: with any number of seeds; 0 where they do not draw splits.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    design: str
    difference: float
    larger: dict[str, float]
    limit: float


def shown_by(found: Standings, size: Size, overlap: float) -> Shown | None:
    """Difference shown by a row's usual spread to the best of the others; None without any."""
    components = Components(*numbers(*map(np.median, found.components)))
    total = float(components.total)
    if total == 0 or not isfinite(total):
        return None
    rows = len(found.difference)
    now, *others = (
        smallest_difference(components, one, rows, overlap) for one in (size, *size.larger())
    )
    if not isfinite(now):
        return None
    words = [one.words for one in size.larger()]
    limit = smallest_difference(components, None, rows, overlap)
    return Shown(size.words, now, dict(zip(words, others, strict=True)), limit)


def smallest_difference(
    components: Components, size: Size | None, rows: int, overlap: float
) -> float:
    """What is found in four of five tables.

    Args:
        components: the variance of one run's difference of two rows, by source.
        size: of the design; None for any number of seeds.
        rows: of the table.
        overlap: rows tested per row trained on, where splits are drawn or are folds; else 0.
    """
    from scipy.special import ndtri  # noqa: PLC0415  # slow to import

    levels = (1 - CONFIDENCE) / max(rows - 1, 1), 1 - POWER
    if size is None:
        return -float(sum(map(ndtri, levels))) * sqrt(float(components.split) * overlap)
    error, degrees = error_of(components, size.layout, overlap)
    return float(sum(degrees.quantile(level) for level in levels) * error)


COLUMNS = ("experiment", "metric", "mean", "sd", "n", "source")
# The chance that any row of a table is marked though none differs.
LEVEL = 0.01
_MOST_RUNS = 10**15 - 1


@dataclass(frozen=True)
class Reference:
    """Mean, standard deviation and number of repeated runs, and who made them."""

    mean: float
    sd: float
    n: int
    source: str


def read_references(path: Path) -> dict[tuple[str, str], Reference]:
    """The references of a CSV file, by experiment and `<split>_<metric>`.

    Raises: UsageError if it is no such file, with the line that is wrong.
    """
    try:
        with TextIOWrapper(open_named(path), encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise UsageError(f"{path}:1: the columns must be {','.join(COLUMNS)}")
            return {(row["experiment"], row["metric"]): _reference(path, rows, row) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a CSV file: {error}") from None


def _reference(path: Path, rows: csv.DictReader[str], row: dict[str, str]) -> Reference:
    try:
        found = Reference(float(row["mean"]), float(row["sd"]), int(row["n"]), row["source"])
        finite = isfinite(found.mean) and isfinite(found.sd)
        if not (finite and found.sd >= 0 and 1 < found.n <= _MOST_RUNS):
            raise ValueError
    except (TypeError, ValueError):
        message = "mean and sd must be finite numbers, and n a whole number above 1, below 1e15"
        raise UsageError(f"{path}:{rows.line_num}: {message}") from None
    return found


def welch_p(ours: Summary, reference: Reference) -> float | None:
    """The p-value of the difference of two means whose variances may differ; None for one run.

    Welch, Biometrika 34 (1947), with Satterthwaite's degrees of freedom.
    """
    if ours.sd is None:
        return None
    # In a unit that is a power of two, squares of large numbers stay finite, and no bit changes.
    unit = ldexp(1.0, frexp(max(ours.sd, reference.sd))[1] - 1)
    a, b = (ours.sd / unit) ** 2 / ours.n, (reference.sd / unit) ** 2 / reference.n
    difference = abs(ours.mean - reference.mean) / unit
    if a + b == 0:
        return 1.0 if difference == 0 else 0.0
    from scipy.special import stdtr  # noqa: PLC0415  # slow to import

    degrees = (a + b) ** 2 / (a**2 / (ours.n - 1) + b**2 / (reference.n - 1))
    return float(2 * stdtr(degrees, -difference / sqrt(a + b)))


def holm(p: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in their order. Holm, Scand. J. Statist. 6 (1979)."""
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = largest
    return adjusted


@dataclass(frozen=True)
class Replication:
    """One number of one config.

    Args:
        label: the config, with its choice where it has a grid.
        metric: `<split>_<metric>`.
        ours: over the seeds; None where no run has completed.
        published: the number from elsewhere; None where none is known.
        inside: whether that lies within our range.
        runs: that were planned.
        reference: the mean of repeated runs from elsewhere, where one was given.
        p: of the difference of our mean to that, adjusted for all rows of the table.
    """

    label: str
    metric: str
    ours: Summary | None
    published: float | None
    inside: bool | None
    runs: int
    reference: Reference | None = None
    p: float | None = None

    @property
    def differs(self) -> bool:
        """Whether our mean is not that of the reference, beyond chance in the whole table."""
        return self.p is not None and self.p < LEVEL


def replications(
    progress: SweepProgress, references: Mapping[tuple[str, str], Reference] | None = None
) -> list[Replication]:
    """All published numbers of a sweep, and the main metric of configs that have none.

    A config has both splits of its main metric in the table, whichever of them was published.
    Means are held against references by experiment and metric, where there are any.
    """
    rows = []
    for variant, scores in progress.by_variant():
        completed = [score for score in scores if score.status == "completed"]
        values: dict[str, list[float | None]] = {}
        for split in ("train", "test"):
            column = SPLITS.index(split)
            values[f"{split}_{variant.metric}"] = [score.by_split[column] for score in completed]
        for column, metric in enumerate(sorted(variant.published)):
            values[metric] = [score.ours[column] for score in completed]
        for metric, ours_of_runs in values.items():
            ours = summarize([number for number in ours_of_runs if number is not None])
            if ours is None and metric not in variant.published and completed:
                continue
            published = variant.published.get(metric)
            inside = None
            if ours is not None and published is not None:
                inside = ours.minimum <= published <= ours.maximum
            rows.append(
                Replication(
                    variant.label,
                    metric,
                    ours,
                    published,
                    inside,
                    variant.planned,
                    (references or {}).get((variant.name, metric)),
                )
            )
    return _compared(rows)


def _compared(rows: list[Replication]) -> list[Replication]:
    """Replications with the p-values of all that can be compared, adjusted for their number."""
    found = {
        number: p
        for number, row in enumerate(rows)
        if row.reference is not None
        and row.ours is not None
        and (p := welch_p(row.ours, row.reference)) is not None
    }
    adjusted = dict(zip(found, holm([*found.values()]), strict=True))
    return [replace(row, p=adjusted.get(number)) for number, row in enumerate(rows)]
