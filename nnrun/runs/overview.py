"""Runs at a glance: what a list of many of them says of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.config.schema import changes_nothing
from nnrun.config.settings import differing, flatten
from nnrun.runs.folders import folders, is_held, names_in
from nnrun.runs.identity import is_run_id
from nnrun.runs.reading import StoredRun, read_run
from nnrun.runs.record import RunRecord

RUNNING, INTERRUPTED, DAMAGED, UNREADABLE = "running", "interrupted", "damaged", "unreadable"

# What is going on or was cut off stands nearest to the prompt, whenever it began.
_LATE = {INTERRUPTED: 1, RUNNING: 2}


@dataclass(frozen=True)
class Overview:
    """A run in a few plain values; None for what is not known.

    Args:
        name: of the experiment.
        run_id: of the run.
        status: as in its report; `running` while a process is at it, `interrupted` where it can go
            on, `unreadable` where its report is, and `damaged` where a part of it is missing.
        error: what went wrong, in a sentence.
        seed: of the run.
        metric: its main metric.
        larger_is_better: its direction.
        train: the main metric on the training split.
        validation: likewise.
        test: likewise.
        started: when, in UTC; of a run without a report, when its folder was changed last.
        seconds: of training.
        iterations: that were made.
        settings: of its config, by dotted keys.
    """

    name: str
    run_id: str
    status: str
    error: str | None = None
    seed: int | None = None
    metric: str | None = None
    larger_is_better: bool = False
    train: float | None = None
    validation: float | None = None
    test: float | None = None
    started: str | None = None
    seconds: float | None = None
    iterations: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What commands call it."""
        return f"{self.name}/{self.run_id}"

    @property
    def result(self) -> tuple[str, float] | None:
        """The most telling split that there is, and the main metric on it."""
        for split in reversed(SPLITS):
            value = getattr(self, split)
            if value is not None:
                return split, value
        return None


def overviews(root: Path, names: Iterable[str] = ()) -> Iterator[Overview]:
    """All runs in a results folder, or those of these names; what is no run is passed over."""
    for name in list(names) or names_in(root):
        for run_id in folders(root / name):
            found = overview_of(root / name / run_id, placed=True)
            if found is not None:
                yield found


def overview_of(folder: Path, *, placed: bool = False) -> Overview | None:
    """The run in a folder; None where there is none.

    Args:
        folder: of the run.
        placed: whether its place in a results folder says which run it must be.
    """
    return described(read_run(folder, placed=placed), folder)


def described(run: StoredRun | None, folder: Path) -> Overview | None:
    """What was read in a folder at a glance; None where there is no run."""
    if run is None:
        # Until its first checkpoint, a run leaves nothing but its lock.
        if is_run_id(folder.name) and is_held(folder):
            return Overview(folder.parent.name, folder.name, RUNNING, started=_changed(folder))
        return None
    return _described(run, folder)


def settings_of(record: RunRecord) -> dict[str, Any]:
    """All that decides a run's numbers but its seed, by dotted keys; its data by their digest."""
    config = {key: value for key, value in record.config.items() if not changes_nothing(key)}
    found = flatten({key: value for key, value in config.items() if key != "seed"})
    found.pop("dataset.path", None)
    return {**found, "dataset.sha256": str(record.dataset["sha256"])[:10]}


def varied(runs: Iterable[Overview]) -> dict[str, list[str]]:
    """For each name, the settings in which its runs differ."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        if run.settings:
            by_name.setdefault(run.name, []).append(run.settings)
    return {name: differing(settings) for name, settings in by_name.items()}


def by_time(runs: Iterable[Overview]) -> list[Overview]:
    """The last ones at the end, and after them what was cut off and what is going on."""
    return sorted(
        runs, key=lambda run: (_LATE.get(run.status, 0), run.started or "", run.name, run.run_id)
    )


def _described(run: StoredRun, folder: Path) -> Overview:
    held = not run.complete and is_held(folder)
    if run.record is None:
        status = INTERRUPTED if run.unfinished else UNREADABLE
        error = None if held else run.trouble
        return Overview(
            run.name, run.run_id, RUNNING if held else status, error, started=_changed(folder)
        )
    record, status = run.record, DAMAGED if run.trouble else run.record.status
    try:
        numbers = {s: (record.metrics.get(s) or {}).get(record.main_metric) for s in SPLITS}
        return Overview(
            name=run.name,
            run_id=run.run_id,
            status=RUNNING if held else str(status),
            error=run.trouble or record.error,
            seed=record.seed,
            metric=record.main_metric,
            larger_is_better=record.task == "classification",
            **{split: value for split, value in numbers.items() if isinstance(value, int | float)},
            started=str(record.started),
            seconds=record.timing["train_seconds"],
            iterations=record.timing.get("iterations"),
            settings=settings_of(record),
        )
    except (AttributeError, TypeError, KeyError):
        return Overview(
            run.name, run.run_id, UNREADABLE, "its report is damaged", started=_changed(folder)
        )


def _changed(folder: Path) -> str | None:
    try:
        moment = datetime.fromtimestamp(os.stat(folder).st_mtime, UTC)
    except OSError:
        return None
    return moment.isoformat(timespec="seconds")
