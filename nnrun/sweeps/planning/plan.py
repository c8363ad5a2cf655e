"""The plan of a sweep: configs × grid × seeds × folds, all valid; and where its runs come from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Protocol

from nnrun.plugins.loading import NO_PLUGINS, Shipment
from nnrun.plugins.part import PluginError
from nnrun.runs.identity import Identity
from nnrun.runs.record import RunRecord
from nnrun.runs.replicate import Replicate
from nnrun.sweeps.planning.comparable import Comparable
from nnrun.sweeps.planning.estimate import Estimate
from nnrun.sweeps.planning.shard import WHOLE, Shard

Place = tuple[int, Replicate]


@dataclass(frozen=True, kw_only=True)
class Variant(Comparable):
    """One config with one choice from its grid; numbers rise in the order of the plan.

    Args:
        file: its config.
        config: resolved, as JSON.
        identities: for each fold, the identity of its runs except for their seeds.
        data: the `data_key` of its data.
        seeds: of its runs, without those of splits.
        estimate: of one run.
        split_seeds: crossed with `seeds` and folds; None for the seed of the run.
        metrics: those that its runs compute beside those of their task.
        watched: whether their networks are looked at while they train.
        ended: how many of its runs an unfinished board is over; None for all.
        plugins: the sources of parts that its config names.
    """

    file: str
    config: str
    identities: Mapping[int | None, Identity]
    data: str
    seeds: Sequence[int]
    estimate: Estimate
    split_seeds: Sequence[int | None] = (None,)
    metrics: Sequence[str] = ()
    watched: bool = False
    ended: int | None = None
    plugins: Shipment = NO_PLUGINS

    @property
    def digest(self) -> str:
        """Of everything that decides its runs, their seeds included."""
        texts = sorted(identity.text for identity in self.identities.values())
        content = (self.name, texts, [*self.seeds], [*self.split_seeds])
        return sha256(repr(content).encode()).hexdigest()

    @property
    def parameters(self) -> int:
        return self.estimate.parameters

    @property
    def planned(self) -> int:
        if self.ended is not None:
            return self.ended
        return len(self.seeds) * len(self.split_seeds) * len(self.identities)

    def runs(self) -> Iterator[PlannedRun]:
        """One for each seed, seed of the split, and fold."""
        for seed in self.seeds:
            for split_seed in self.split_seeds:
                for fold, identity in self.identities.items():
                    run_id = identity.with_split_seed(split_seed).run_id(seed)
                    yield PlannedRun(self, Replicate(seed, split_seed, fold), run_id)


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep; with `until`, it pauses at that iteration."""

    variant: Variant
    replicate: Replicate
    run_id: str
    until: int | None = None

    @property
    def seed(self) -> int:
        """Of everything that is random, but for the split where that has a seed of its own."""
        return self.replicate.seed

    @property
    def place(self) -> Place:
        """The run's place in its plan: the number of its variant, and its replicate."""
        return self.variant.number, self.replicate

    @property
    def key(self) -> str:
        """`name/run id`, the path of its folder within the results."""
        return f"{self.variant.name}/{self.run_id}"

    @property
    def label(self) -> str:
        """Name, choice, seeds and fold, for messages."""
        return f"{self.variant.label} {self.replicate.words}"


class Settings(Protocol):
    """Variants of one name that are made when they are needed, such as a `Family`; each has as many
    runs as the others. Long ones come first.

    `seconds` are the mean of what a run takes, `memory` the most that one takes.
    """

    @property
    def name(self) -> str: ...

    @property
    def planned(self) -> int: ...

    @property
    def seconds(self) -> float: ...

    @property
    def memory(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Variant: ...


class _Alone(tuple[Variant]):
    """One variant."""

    name = property(lambda self: self[0].name)
    planned = property(lambda self: self[0].planned)
    seconds = property(lambda self: self[0].estimate.seconds)
    memory = property(lambda self: self[0].estimate.memory)


@dataclass(frozen=True)
class Plan:
    """The variants of a sweep; they and their runs are made when they are needed.

    Args:
        variants: all of them, in the order of boards.
        families: the same variants, in groups that were checked together; by default each is alone.
        shard: the part of the runs that is trained; by default all of them.
        open: whether there are as many runs as there is time for: `variants` stand for them.
        notes: on values that make no settings of their own.
    """

    variants: Collection[Variant] = field(default_factory=list)
    families: Sequence[Settings] = ()
    shard: Shard = WHOLE
    open: bool = False
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.families:
            object.__setattr__(self, "families", [_Alone([variant]) for variant in self.variants])

    def __len__(self) -> int:
        return self._length  # asked for by each run that ends

    @property
    def whole(self) -> Plan:
        """The plan of the sweep that this is a shard of."""
        return replace(self, shard=WHOLE)

    @cached_property
    def names(self) -> dict[str, None]:
        """The names of its experiments, each once."""
        return dict.fromkeys(family.name for family in self.families)

    @cached_property
    def seconds(self) -> float:
        """The estimated time of all runs on one core."""
        return sum(count * family.seconds for family, count in self._counts())

    @property
    def memory(self) -> int:
        """The estimated memory of the largest run, in bytes."""
        return max(family.memory for family, count in self._counts() if count)

    def firsts(self) -> Iterator[Variant]:
        """The first variant of each family that has runs."""
        return (family[0] for family, count in self._counts() if count)

    def refuse_plugin_files(self) -> None:
        """Raise a PluginError if a config needs a plugin that is no installed package."""
        for variant in self.firsts():
            for source in variant.plugins.sources:
                if source.path is not None:
                    raise PluginError(
                        f"{variant.file} needs {source.name}, and workers of a cluster know "
                        "installed plugins only: make it a package with an entry point of the "
                        "group nnrun.plugins, and install that on all workers and here"
                    )

    def portions(self, least: int = 1) -> Iterator[tuple[int, Variant, Iterator[PlannedRun]]]:
        """Each variant that has at least this many runs here, with these runs; long ones first.

        The number before them is the index of the variant's first run, here or in another shard.
        """
        start = 0
        for family in self._ordered():
            each = family.planned
            for at in range(len(family)):
                if self.shard.count(start, start + each) >= least:
                    variant, ahead = family[at], self.shard.first_from(start)
                    yield start, variant, islice(variant.runs(), ahead, None, self.shard.of)
                start += each

    def runs(self) -> Iterator[PlannedRun]:
        """All runs: the first of each variant, then the others; long runs first.

        The first run of a variant compiles code that the others use, and starting with long runs
        avoids that one worker is still busy with a long run at the end.
        """
        for _, _, runs in self.portions():
            yield from islice(runs, 1)
        for _, _, runs in self.portions(least=2):
            yield from islice(runs, 1, None)

    @cached_property
    def _length(self) -> int:
        return sum(count for _, count in self._counts())

    def _ordered(self) -> list[Settings]:
        return sorted(self.families, key=lambda family: -family.seconds)

    def _counts(self) -> Iterator[tuple[Settings, int]]:
        """Each family, and how many of its runs are here."""
        start = 0
        for family in self._ordered():
            stop = start + len(family) * family.planned
            yield family, self.shard.count(start, stop)
            start = stop


class RunSource:
    """The runs of a sweep; which one comes next may depend on the results of others.

    `search` is the identity of the search that they belong to, which their reports name.
    """

    search: str | None = None

    def next(self, at_a_time: int) -> PlannedRun | None:
        """The next run; None if results have to come first, or none is left.

        `at_a_time` is how many runs the workers train at the same time.
        """
        raise NotImplementedError

    def overdue(self) -> bool:
        """Whether runs in progress have to stop; those that have ended still count."""
        return False

    def ended(self, run: PlannedRun, record: RunRecord) -> None:
        """A run has ended, or has paused where it was asked to; its result is on the disk."""

    def failed(self, run: PlannedRun, reason: str) -> None:
        """A run could not be trained or saved."""


class PlannedRuns(RunSource):
    """The runs of a plan, regardless of their results."""

    def __init__(self, plan: Plan) -> None:
        self._runs: Iterator[PlannedRun] = plan.runs()

    def next(self, at_a_time: int) -> PlannedRun | None:
        return next(self._runs, None)
