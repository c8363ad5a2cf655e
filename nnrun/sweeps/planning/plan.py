"""The plan of a sweep: configs × grid × seeds × folds, and where its runs come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Any, Self

import numpy as np

from nnrun.config.settings import choice_words
from nnrun.errors import UsageError
from nnrun.nn.signature import Array
from nnrun.plugins.loading import NO_PLUGINS, Shipment
from nnrun.plugins.part import PluginError
from nnrun.runs.record import Identity, Replicate, RunRecord
from nnrun.sweeps.planning.estimate import Estimate

# What comparing configs needs to know of each, whether its runs are planned or stored.


@dataclass(frozen=True, kw_only=True)
class Comparable:
    """One config with one choice of its settings; its runs differ only in seeds and folds.

    Args:
        number: its place among the others.
        name: of the experiment.
        choice: in what it differs from others of its name, by dotted keys; a model of scikit-learn
            is always named in it.
        dataset: the name of its data set.
        sha256: the digest of the data's file or arrays.
        target: the target column, if the config names one.
        splits: `train`, and `validation` and `test` if they have rows.
        division: the settings of the split. Configs with equal data, seed, fold and division have
            the same rows in their splits.
        metric: that its runs are ordered by.
        larger_is_better: whether larger values of the metric are better.
        published: published numbers, by `<split>_<metric>`.
        rows: the size of each split; with folds, the mean.
        overlap: for each split that a seed draws, or a fold is, the ratio of its rows to training
            rows; else 0.
        drawn: whether the seed decides which rows are in which split.
        folds: of cross-validation; None without.
        split_by: the groups or the times that rows are split by, in words; "" at random.
        data_note: what a reader should know about the data.
    """

    number: int
    name: str
    choice: dict[str, Any]
    dataset: str
    sha256: str
    target: str | None
    splits: tuple[str, ...]
    division: str
    metric: str
    larger_is_better: bool
    published: dict[str, float]
    rows: dict[str, float] = field(default_factory=dict)
    overlap: dict[str, float] = field(default_factory=dict)
    drawn: bool = True
    folds: int | None = None
    split_by: str = ""
    data_note: str = ""

    @property
    def label(self) -> str:
        """Name and choice in one line."""
        return " ".join([self.name, *choice_words(self.choice)])

    @property
    def planned(self) -> int:
        """The number of its runs."""
        raise NotImplementedError

    @property
    def parameters(self) -> int:
        """Parameters of its network."""
        raise NotImplementedError


# A part of a sweep, for a job of an array.

_DIGITS = 6


@dataclass(frozen=True)
class Shard:
    """Every `of`-th run of a plan, beginning with the `number`-th.

    Runs are numbered setting by setting, long ones first. So shards differ by one run at most, and
    little in their estimated time; a setting's seeds are spread over all of them, and if their
    number is a multiple of `of`, each shard has the same seeds of every setting.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Shard from `3/10`.

        Raises: UsageError if it is no such text, or there is no such shard.
        """
        found = re.fullmatch(rf"(\d{{1,{_DIGITS}}})/(\d{{1,{_DIGITS}}})", text, re.ASCII)
        if found is None:
            raise UsageError(f"--shard {text}: give K/N for the K-th of N parts, such as 3/10")
        number, of = map(int, found.groups())
        if not of:
            raise UsageError(f"--shard {text}: a sweep has at least one part, 1/1")
        if not 1 <= number <= of:
            hint = "" if number else "; in an array of jobs that counts from 0, add 1 to K"
            raise UsageError(f"--shard {text}: K goes from 1 to {of}{hint}")
        return cls(number, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def first_from(self, start: int) -> int:
        """How far after the run with the index `start` the shard's next run is; 0 for itself."""
        return (self.number - 1 - start) % self.of

    def count(self, start: Array, stop: Array) -> Array:
        """How many of the runs with the indices `start` to `stop` - 1 are in the shard."""
        count: Array = (stop - self.number) // self.of - (start - self.number) // self.of
        return count


WHOLE = Shard(1, 1)


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
        refused: why none of its runs can be trained; "" for a valid setting. All but its choice is
            that of another setting then.
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
    refused: str = ""

    @property
    def digest(self) -> str:
        """Digest of everything that decides its runs, their seeds included."""
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
        """Seed of the run; the split may have its own."""
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


class Settings(Collection[Variant]):
    """The settings of a plan by number: variants that are made when they are needed, each once.

    Args:
        make: the variant with a number; None for one that is equal to another.
        seconds: of a run of each, by estimate.
        runs: how many each has.
        memory: the most bytes that a run takes.
        made: those that are there already.
    """

    def __init__(
        self,
        make: Callable[[int], Variant | None],
        seconds: Array,
        runs: Array,
        memory: int,
        made: Mapping[int, Variant | None],
    ) -> None:
        self.seconds = seconds
        self.memory = memory
        self.is_new = np.ones(len(runs), bool)
        """Whether a setting is equal to none of the others that were made."""
        self._make = make
        self._made = dict(made)
        self.is_new[[number for number, variant in made.items() if variant is None]] = False
        self.runs = runs * self.is_new
        """How many each has; 0 where it was known from the beginning that it is equal."""

    @classmethod
    def of(cls, variants: Sequence[Variant]) -> Settings:
        """These variants."""
        return cls(
            variants.__getitem__,
            np.array([variant.estimate.seconds for variant in variants], np.float64),
            np.array([variant.planned for variant in variants], np.int64),
            max((variant.estimate.memory for variant in variants), default=0),
            dict(enumerate(variants)),
        )

    @property
    def made(self) -> list[Variant]:
        """The variants that are there; a plan made one with each value of each key."""
        return [variant for variant in self._made.values() if variant is not None]

    def __getitem__(self, number: int) -> Variant | None:
        if number not in self._made:
            self._made[number] = self._make(number)
            self.is_new[number] = self._made[number] is not None
        return self._made[number]

    def __len__(self) -> int:
        return int(self.is_new.sum())

    def __iter__(self) -> Iterator[Variant]:
        return (v for number in range(len(self.runs)) if (v := self[number]) is not None)

    def __contains__(self, variant: object) -> bool:
        return any(variant == each for each in self)


@dataclass(frozen=True)
class Plan:
    """The settings of a sweep and their runs, which are made when they are needed.

    Args:
        variants: all of them, in the order of boards.
        shard: the part of the runs that is trained; by default all of them.
        open: whether there are as many runs as there is time for: `variants` stand for them.
        notes: on values that make no settings of their own.
    """

    variants: Collection[Variant] = field(default_factory=list)
    shard: Shard = WHOLE
    open: bool = False
    notes: Sequence[str] = ()

    def __len__(self) -> int:
        return int(self._counts @ self._settings.is_new)

    @property
    def whole(self) -> Plan:
        """The plan of the sweep that this is a shard of."""
        return replace(self, shard=WHOLE)

    @cached_property
    def names(self) -> dict[str, None]:
        """The names of its experiments, each once."""
        return dict.fromkeys(variant.name for variant in self._settings.made)

    @cached_property
    def seconds(self) -> float:
        """The estimated time of all runs on one core."""
        return float(self._counts @ self._settings.seconds)

    @property
    def memory(self) -> int:
        """The estimated memory of the largest run, in bytes."""
        return self._settings.memory

    def firsts(self) -> Iterator[Variant]:
        """The variants that have runs here and can be trained, long ones first."""
        return (variant for _, variant, _ in self.portions() if not variant.refused)

    def refuse_plugin_files(self) -> None:
        """Raise a PluginError if a config needs a plugin that is no installed package."""
        for variant in self._settings.made:
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
        for number in self._order.tolist():
            if self._counts[number] < least or (variant := self._settings[number]) is None:
                continue
            start = int(self._starts[number])
            yield (
                start,
                variant,
                islice(variant.runs(), self.shard.first_from(start), None, self.shard.of),
            )

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
    def _settings(self) -> Settings:
        variants = self.variants
        return variants if isinstance(variants, Settings) else Settings.of([*variants])

    @cached_property
    def _order(self) -> Array:
        """The numbers of the settings, those with long runs first."""
        return np.argsort(-self._settings.seconds, kind="stable")

    @cached_property
    def _starts(self) -> Array:
        """The index of the first run of each setting, in the order of all shards."""
        runs = self._settings.runs[self._order]
        starts = np.empty_like(runs)
        starts[self._order] = np.cumsum(runs) - runs
        return starts

    @cached_property
    def _counts(self) -> Array:
        """How many runs of each setting are here."""
        return self.shard.count(self._starts, self._starts + self._settings.runs)


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
