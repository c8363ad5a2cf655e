"""What a sweep will do: configs × grid × seeds, every one of them known to be valid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from nnrun.config.settings import choice_words
from nnrun.runs.identity import Identity
from nnrun.sweeps.planning.estimate import Estimate


@dataclass(frozen=True)
class Variant:
    """One config with one choice from its grid: its runs differ in their seed and nothing else.

    Args:
        number: its place in the plan.
        name: of the experiment.
        file: its config.
        choice: the values chosen, by their dotted keys; empty where there is no grid.
        config: resolved, as JSON, its keys in their order.
        identity: what its runs are but for their seeds.
        dataset: the name of its data.
        sha256: the digest of its data's file or arrays.
        data: what tells its data from all other; of one file, several may be read.
        target: what is predicted, where a config says so.
        splits: the parts of its data that there are: `train`, and `validation` and `test` or not.
        division: the settings by which data is split. Where two variants agree in data, seed and
            these, their splits have the same rows.
        metric: the main metric, `accuracy` or `mse`.
        larger_is_better: its direction.
        seeds: of its runs.
        published: numbers from elsewhere, by `<split>_<metric>`.
        estimate: of one run.
        rows: of each split.
        overlap: for each split, rows tested per row trained on, where the seed draws them; else 0.
    """

    number: int
    name: str
    file: str
    choice: dict[str, Any]
    config: str
    identity: Identity
    dataset: str
    sha256: str
    data: str
    target: str | None
    splits: tuple[str, ...]
    division: str
    metric: str
    larger_is_better: bool
    seeds: Sequence[int]
    published: dict[str, float]
    estimate: Estimate
    rows: dict[str, int] = field(default_factory=dict)
    overlap: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and choice on one line."""
        return " ".join([self.name, *choice_words(self.choice)])

    @property
    def parameters(self) -> int:
        """Of its network."""
        return self.estimate.parameters

    def runs(self) -> Iterator[PlannedRun]:
        """One for each seed."""
        for seed in self.seeds:
            yield PlannedRun(self, seed, self.identity.run_id(seed))


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep."""

    variant: Variant
    seed: int
    run_id: str

    @property
    def key(self) -> str:
        """What tells it from every other run; also its folder within the results."""
        return f"{self.variant.name}/{self.run_id}"

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.variant.label} seed={self.seed}"


@dataclass(frozen=True)
class Plan:
    """All that a sweep has to do; runs are made when they are asked for, not kept."""

    variants: Sequence[Variant] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(variant.seeds) for variant in self.variants)

    @property
    def seconds(self) -> float:
        """What all of it takes one core."""
        return sum(len(variant.seeds) * variant.estimate.seconds for variant in self.variants)

    def runs(self) -> Iterator[PlannedRun]:
        """All runs: one of each variant, then the others; of both, the long ones first.

        What a first run makes for all others, such as compiled code, is then made by one worker
        for all, and no worker is left alone with a long run at the end.
        """
        variants = sorted(self.variants, key=lambda variant: -variant.estimate.seconds)
        for variant in variants:
            yield from islice(variant.runs(), 1)
        for variant in variants:
            yield from islice(variant.runs(), 1, None)
