"""Summaries of runs, for lists of many."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from sys import intern
from typing import Any, NamedTuple

from nnrun.config.names import CHOOSING, SPLITS
from nnrun.config.settings import choice_of, differing, setting_of, telling_first
from nnrun.runs.record import Replicate
from nnrun.runs.storage.progress import RunProgress

COMPLETED, RUNNING, INTERRUPTED, DAMAGED = "completed", "running", "interrupted", "damaged"
QUEUED, UNREADABLE = "queued", "unreadable"
FAULTY = (DAMAGED, UNREADABLE)
STATUSES = (COMPLETED, "diverged", "stopped", "failed", INTERRUPTED, QUEUED, RUNNING, *FAULTY)
IN_PROGRESS = (QUEUED, RUNNING)

# Interrupted and running runs come last in a list, nearest to the prompt.
_LATE = {INTERRUPTED: 1, QUEUED: 2, RUNNING: 3}

Numbers = tuple[float | None, ...]


@lru_cache(maxsize=64)
def _shared(keys: tuple[str, ...]) -> tuple[str, ...]:
    """These keys, as one object for all mappings that have them: they take more than the values."""
    return keys


class JsonMapping(Mapping[str, Any]):
    """A mapping as JSON text, parsed when first used; empty if the text is no JSON."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def plain(self) -> dict[str, Any]:
        """All of it, which must not be changed."""
        with suppress(ValueError, TypeError):
            found = dict(json.loads(self.text))
            return dict(zip(_shared(tuple(found)), found.values(), strict=True))
        return {}

    def __getitem__(self, key: str) -> Any:
        return self.plain[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)


_NOTHING = JsonMapping("{}")


class RunSummary(NamedTuple):
    """A stored run in a few plain values, for lists and boards; None for what is not known.

    A hundred thousand of them fit in memory: runs with equal settings share an object, and so do
    runs with equal values of what boards take besides.

    `status` is as in its report; or `running` while a process holds it, `queued` while a sweep does
    that has not begun it, `interrupted` if it can be continued, `damaged` if its report or its
    model is missing or has changed, and `unreadable` if its report is of another version of nnrun.
    `progress` is what a running one says of itself. `warnings` counts those of a completed run.
    `metrics` has all its numbers, as `test_roc_auc`. `split_seed` is that of its split, where that
    has one of its own; `fold` the one that it tests. `train`, `validation` and `test` are its main
    metric on these splits. `started` is in UTC: of a run without a report, when its folder was
    changed last. `extended_from` is the id of the shorter run that this one goes on from;
    `search` the identity of the search that trained it; `commit` that of its config's repository;
    `settings` are those of its config, by dotted keys. `note` is filled in by
    `nnrun.runs.catalog.notes`.

    From `dataset` on, they are what boards take of its report, empty where that was not wanted or
    is damaged: the name and the digest of its data, the `rows` of each split, the `parameters` of
    its network, the main metric of the `baseline` by split, `published` numbers by
    `<split>_<metric>` and `ours` for each of them by name, the main metric of `naive` baselines by
    their steps, by split, the kind of the first `warning` about the network, those `about_data` in
    a line each, and the `arithmetic`, its numeric backend.
    """

    name: str
    run_id: str
    status: str
    error: str | None = None
    warnings: int = 0
    seed: int | None = None
    split_seed: int | None = None
    fold: int | None = None
    metric: str | None = None
    larger_is_better: bool = False
    train: float | None = None
    validation: float | None = None
    test: float | None = None
    started: str | None = None
    seconds: float | None = None
    iterations: int | None = None
    extended_from: str | None = None
    search: str | None = None
    commit: str | None = None
    metrics: Mapping[str, float] = {}
    settings: JsonMapping = _NOTHING
    progress: RunProgress | None = None
    note: str = ""
    dataset: str = ""
    sha256: str = ""
    rows: tuple[int, ...] = ()
    parameters: int = 0
    baseline: Numbers = ()
    published: Mapping[str, float] = {}
    ours: Numbers = ()
    naive: Mapping[str, Numbers] = {}
    warning: str = ""
    about_data: str = ""
    arithmetic: str = ""

    @property
    def label(self) -> str:
        """The run's name in commands."""
        return f"{self.name}/{self.run_id}"

    @property
    def tags(self) -> tuple[str, ...]:
        """The words of its note that begin with `#`, without that."""
        return tuple(word[1:] for word in self.note.split() if word[0] == "#" and word[1:])

    @property
    def key(self) -> str:
        """The same, as what distinguishes it."""
        return self.label

    @property
    def is_sound(self) -> bool:
        """Whether it has what boards take."""
        return bool(self.rows)

    @property
    def by_split(self) -> Numbers:
        """The main metric on each split."""
        return self.train, self.validation, self.test

    @property
    def replicate(self) -> Replicate:
        """What tells it from other runs of its setting."""
        return Replicate(self.seed or 0, self.split_seed, self.fold)

    @property
    def result(self) -> tuple[str, float] | None:
        """The main metric with its split: test, else validation, else training."""
        for split in reversed(SPLITS):
            value = getattr(self, split)
            if value is not None:
                return split, value
        return None

    @property
    def ranking(self) -> tuple[str, float] | None:
        """The main metric on the split that a leaderboard is ordered by; None unless completed."""
        if self.status != COMPLETED:
            return None
        value = getattr(self, self.choosing)
        return None if value is None else (self.choosing, value)

    @property
    def choosing(self) -> str:
        """The split that a leaderboard is ordered by."""
        return next(split for split in CHOOSING if split in self.splits)

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that the run's config makes."""
        sizes = {s: self.settings.get(f"dataset.{s}_size") for s in SPLITS}
        sizes |= {"train": True, "test": sizes["test"] or self.settings.get("dataset.folds")}
        return tuple(split for split in SPLITS if sizes[split])

    @property
    def kind(self) -> tuple[Any, ...]:
        """Data, target, metric and how rows are split: with the same, numbers can be compared."""
        keys = ("sha256", "folds", "columns.target", "split.by", "split.column")
        data = (self.settings.get(f"dataset.{key}") for key in keys)
        return *data, self.metric, self.splits


MAPPINGS = ("metrics", "settings")
PLAIN = RunSummary._fields[: RunSummary._fields.index(MAPPINGS[0])]
"""The fields that are single values of lists, in order."""
BOARD = RunSummary._fields[RunSummary._fields.index("dataset") :]
"""The fields that boards take besides."""


def restored(text: str) -> tuple[Any, ...]:
    """The values of `BOARD`, from JSON."""
    dataset, sha256, rows, parameters, baseline, published, ours, naive, *rest = json.loads(text)
    return (
        *(intern(dataset), intern(sha256), tuple(rows), parameters, tuple(baseline), published),
        *(tuple(ours), {intern(steps): tuple(each) for steps, each in naive.items()}),
        *map(intern, rest),
    )


def varied(runs: Iterable[RunSummary]) -> dict[str, list[str]]:
    """The settings that differ between runs of the same name, by name."""
    by_name: dict[str, dict[int, Mapping[str, Any]]] = {}
    for run in runs:  # seeds of one config share their settings
        by_name.setdefault(run.name, {})[id(run.settings)] = run.settings
    return {
        name: differing([dict(settings) for settings in found.values() if settings])
        for name, found in by_name.items()
    }


def most_varied(runs: Sequence[RunSummary]) -> dict[str, list[str]]:
    """The same, the settings with the most different values first: lists cut the last ones."""
    found = varied(runs)
    choices: dict[str, list[dict[str, Any]]] = {name: [] for name in found}
    for run in {(run.name, id(run.settings)): run for run in runs if run.settings}.values():
        choices[run.name].append(choice_of(run.settings, found[run.name]))
    return {name: telling_first(each) for name, each in choices.items()}


def by_time(runs: Iterable[RunSummary]) -> list[RunSummary]:
    """Sorted by start, then interrupted and running runs."""
    return sorted(
        runs, key=lambda run: (_LATE.get(run.status, 0), run.started or "", run.name, run.run_id)
    )


DATA = "dataset.sha256"
# What a longer run has as the shorter one had it, and its config would not say.
CONTINUED = ("training.evaluate_every", "training.engine", "training.learning_rate.over")


def set_by_hand(
    keys: Mapping[str, Sequence[str]], runs: Sequence[RunSummary]
) -> dict[str, list[str]]:
    """The settings that tell runs of one name apart, but for those that follow from others.

    What an extended run has in common with the run that it goes on from is left out where other
    runs do not differ in it; so is the digest of a built-in data set that other keys tell apart.
    """
    by_name: dict[str, list[RunSummary]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    return {
        name: [key for key in found if not _follows(key, found, by_name.get(name, []))]
        for name, found in keys.items()
    }


def _follows(key: str, keys: Sequence[str], runs: Sequence[RunSummary]) -> bool:
    if key == DATA:
        others = any(other.startswith("dataset.") and other != DATA for other in keys)
        return others and all(setting_of(run.settings, "dataset.name") for run in runs)
    if key not in CONTINUED or not any(run.extended_from for run in runs):
        return False
    return key not in differing([run.settings for run in runs if not run.extended_from])
