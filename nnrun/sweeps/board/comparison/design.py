"""What a sweep of this design could show, and what more seeds or splits would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import ClassVar

import numpy as np

from nnrun.runs.replicate import Replicate
from nnrun.sweeps.board.comparison.comparisons import Standings
from nnrun.sweeps.board.comparison.statistics import AS_WRITTEN, CONFIDENCE
from nnrun.sweeps.board.variance.components import Components, error_of
from nnrun.sweeps.board.variance.sharing import Layout, numbers

_POWER = 0.8


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
        """Of this many replicates."""
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
    """By the usual spread of a row's differences to the best of the others; None without any."""
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

    levels = (1 - CONFIDENCE) / max(rows - 1, 1), 1 - _POWER
    if size is None:
        return -float(sum(map(ndtri, levels))) * sqrt(float(components.split) * overlap)
    error, degrees = error_of(components, size.layout, overlap)
    return float(sum(degrees.quantile(level) for level in levels) * error)
