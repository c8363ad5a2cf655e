"""How small a difference some numbers of seeds would find, from the runs of a pilot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import sqrt
from pathlib import Path

import numpy as np

from nnrun.config.names import SPLITS
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.summary import COMPLETED, RunSummary
from nnrun.sweeps.active_runs import Member
from nnrun.sweeps.board.leaderboard import kind_of, ordering_split, trained
from nnrun.sweeps.board.means import CONFIDENCE, standings
from nnrun.sweeps.board.published import POWER, Size
from nnrun.sweeps.board.variance import Components, error_of, numbers
from nnrun.sweeps.board.verdicts import completed_runs, table_of, values_of
from nnrun.sweeps.planning.plan import Variant

SEEDS = (5, 10, 20, 40)
LEAST = 3
"""The seeds that a pilot needs."""


@dataclass(frozen=True)
class Smallest:
    """The smallest difference that so many seeds find in four of five sweeps.

    `low` and `high` are the ends of its 95% interval, from that of the pilot's variance.
    """

    seeds: int
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Power:
    """What sweeps over settings of one data set would find, in the units of the metric.

    Args:
        dataset: its name.
        metric: that is compared.
        ordered_by: the split that it is compared on.
        settings: of the sweep, which all count for the level of the test.
        pilot: how many of them have runs to go by.
        pilot_seeds: that these have in common.
        smallest: for each number of seeds.
    """

    dataset: str
    metric: str
    ordered_by: str
    settings: int
    pilot: int
    pilot_seeds: int
    smallest: Sequence[Smallest]


def powers(variants: Iterable[Variant], root: Path) -> list[Power]:
    """The power for each data set with two settings or more, and a pilot of two of these.

    A pilot are stored runs of the same settings, of any seeds, which two settings have at least
    three of in common.
    """
    kinds: dict[tuple[object, ...], list[Variant]] = {}
    for variant in variants:
        kinds.setdefault(kind_of(variant), []).append(variant)
    several = [group for group in kinds.values() if len(group) > 1]
    return [power for group in several if (power := _power(group, root)) is not None]


def _power(variants: Sequence[Variant], root: Path) -> Power | None:
    first = variants[0]
    split = ordering_split(first.splits)
    column, sign = SPLITS.index(split), 1 if first.larger_is_better else -1
    members = [*_pilot(variants, root)]
    values = [values_of(completed_runs(member), column, sign) for member in members]
    seeds = [{replicate.seed for replicate in row} for row in values]
    enough = [place for place, row in enumerate(seeds) if len(row) >= LEAST]
    if len(enough) < 2:
        return None
    common = reduce(set.intersection, [seeds[place] for place in enough])
    if len(common) < LEAST:
        return None
    enough.sort(key=lambda place: -float(np.mean([*values[place].values()])))
    rows = [{r: v for r, v in values[p].items() if r.seed in common} for p in enough]
    found = standings(table_of([members[place] for place in enough], rows, split))
    components = Components(*numbers(*map(np.median, found.components)))
    overlap = first.overlap.get(split, 0.0)
    pilot = error_of(components, size_for(first, len(common)).layout, overlap)[1]
    ends = chi_square_ends(float(pilot.least))
    smallest = []
    for number in SEEDS:
        size = size_for(first, number)
        least = smallest_on_these_data(components, size, len(variants), overlap)
        smallest.append(Smallest(number, least, *(least * end for end in ends)))
    return Power(
        first.dataset, first.metric, split, len(variants), len(enough), len(common),
        smallest,
    )  # fmt: skip


def _pilot(variants: Sequence[Variant], root: Path) -> Iterator[Member]:
    """Each setting with its completed runs, whose ids say that all but their seeds is the same."""
    names = dict.fromkeys(variant.name for variant in variants)
    runs: dict[str, list[RunSummary]] = {name: [] for name in names}
    for run in look(root, names, boards=True, order_by=variants[0].metric):
        if run.is_sound and run.status == COMPLETED:
            runs[run.name].append(run)
    for variant in variants:
        own = [run for run in runs[variant.name] if _is_of(run, variant)]
        yield trained(variant, own), own


def _is_of(run: RunSummary, variant: Variant) -> bool:
    """Whether a run is one of a setting, with another seed perhaps."""
    identity = variant.identities.get(run.fold)
    if identity is None or run.seed is None:
        return False
    if len(variant.split_seeds) == 1 and run.split_seed != variant.split_seeds[0]:
        return False
    return identity.with_split_seed(run.split_seed).run_id(run.seed) == run.run_id


def size_for(variant: Variant, seeds: int) -> Size:
    """The size of a row of this setting with so many seeds."""
    own = variant.drawn and variant.split_seeds == (None,)
    splits = len(variant.split_seeds) if variant.drawn else 1
    return Size(seeds, None if own else splits, len(variant.identities))


# The test drops a row whose mean difference is above q times its standard error e, which allows for
# training rows that runs share. Over sweeps with other seeds of the same data, the mean difference
# varies by less: by what e is without that allowance, n. So mean/n is non-central t, and the
# difference is found in four of five sweeps where that exceeds q·e/n with a probability of 80%. For
# seeds that each draw all that is random, this is exact; for seeds of splits crossed with those of
# weights it is not, since their parts of the variance have degrees of freedom of their own.


def smallest_on_these_data(
    components: Components, size: Size, settings: int, overlap: float
) -> float:
    """The difference of two rows that is found in four of five sweeps of the same data.

    It is that of their means over any number of seeds; other rows drop neither.

    Args:
        components: the variance of one run's difference of two rows, by source.
        size: of the design.
        settings: rows of the table.
        overlap: rows tested per row trained on, where splits are drawn or are folds; else 0.
    """
    from scipy.special import nctdtrinc  # noqa: PLC0415  # slow to import

    error, degrees = error_of(components, size.layout, overlap)
    noise, _ = error_of(components, size.layout, 0.0)
    if noise == 0:
        return 0.0
    bar = degrees.quantile((1 - CONFIDENCE) / (settings - 1)) * error / noise
    return float(noise * nctdtrinc(degrees.least, 1 - POWER, bar))


def chi_square_ends(degrees: float) -> tuple[float, float]:
    """The ends of the 95% interval of a standard deviation, as factors of its estimate."""
    from scipy.special import chdtri  # noqa: PLC0415  # slow to import

    tail = (1 - CONFIDENCE) / 2
    low, high = (sqrt(degrees / chdtri(degrees, p)) for p in (tail, 1 - tail))
    return low, high
