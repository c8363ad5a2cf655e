"""A look at one run: its report, and whether a process is at it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from nnrun.config.names import SPLITS, changes_nothing
from nnrun.config.settings import flatten
from nnrun.runs.catalog.index_file import Line, Settings
from nnrun.runs.catalog.summary import DAMAGED, INTERRUPTED, RUNNING, RunSummary
from nnrun.runs.execution.numeric_backend import decisive
from nnrun.runs.identity import is_run_id
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.files import has_leftovers
from nnrun.runs.storage.folders import is_held
from nnrun.runs.storage.reading import CHECKPOINT, REPORT, StoredRun, read_run


def overview_of(folder: Path, *, placed: bool = False) -> RunSummary | None:
    """The run in a folder; None where there is none.

    Args:
        folder: of the run.
        placed: whether its place in a results folder says which run it must be.
    """
    return described(read_run(folder, placed=placed), folder)


def described(run: StoredRun | None, folder: Path) -> RunSummary | None:
    """What was read in a folder at a glance; None where there is no run."""
    if run is None:
        # Until its first checkpoint, a run leaves nothing but its lock.
        if is_run_id(folder.name) and is_held(folder):
            return RunSummary(folder.parent.name, folder.name, RUNNING, started=_changed(folder))
        return None
    return _described(run, folder)


def settings_of(record: RunRecord) -> dict[str, Any]:
    """All that decides a run's numbers but its seed, by dotted keys; its data by their digest."""
    return dict(_settings(record))


def _settings(record: RunRecord) -> Settings:
    config = {k: v for k, v in record.config.items() if k != "seed" and not changes_nothing(k)}
    return Settings(_flat(json.dumps(config), str(record.dataset["sha256"])[:10]))


@lru_cache(maxsize=64)  # runs that differ in their seeds have all of it in common
def _flat(config: str, data: str) -> str:
    found = flatten(json.loads(config))
    found.pop("dataset.path", None)
    return json.dumps({**found, "dataset.sha256": data})


def _described(run: StoredRun, folder: Path) -> RunSummary:
    held = not run.complete and is_held(folder)
    if run.record is None:
        status = INTERRUPTED if run.unfinished else DAMAGED
        error = None if held else run.trouble
        return RunSummary(
            run.name, run.run_id, RUNNING if held else status, error, started=_changed(folder)
        )
    record, status = run.record, DAMAGED if run.trouble else run.record.status
    try:
        numbers = {s: (record.metrics.get(s) or {}).get(record.main_metric) for s in SPLITS}
        return RunSummary(
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
            extended_from=(record.extended_from or {}).get("run_id"),
            settings=_settings(record),
        )
    except (AttributeError, TypeError, KeyError):
        why = f"{REPORT} is not what nnrun writes"
        return RunSummary(run.name, run.run_id, DAMAGED, why, started=_changed(folder))


def _changed(folder: Path) -> str | None:
    try:
        moment = datetime.fromtimestamp(os.stat(folder).st_mtime, UTC)
    except OSError:
        return None
    return moment.isoformat(timespec="seconds")


def line_of(folder: Path, stamp: str) -> Line | None:
    """What the index may hold of the run in a folder; None unless it is complete and at rest.

    Args:
        folder: of the run.
        stamp: of the folder, taken before it is read.
    """
    run = read_run(folder, placed=True)
    if run is None or not stamp or has_leftovers(folder) or (folder / CHECKPOINT).exists():
        return None
    return _line(run, folder, stamp)


def line_of_record(record: RunRecord, folder: Path, stamp: str) -> Line | None:
    """What `line_of` would read of a run that has just been written to its folder."""
    return _line(StoredRun(record.name, record.run_id, record), folder, stamp)


def _line(run: StoredRun, folder: Path, stamp: str) -> Line | None:
    if run.record is None or not run.complete:
        return None
    overview = _described(run, folder)
    if overview.status == DAMAGED:
        return None
    return Line(overview, json.dumps(_essentials(run.record)), stamp)


def _essentials(record: RunRecord) -> dict[str, Any]:
    """A report without what is large: a sweep has the config, and tables have no confusion."""
    return {
        **record.to_dict(),
        **{key: {} for key in ("config", "dataset", "network")},
        "environment": decisive(record.environment),
        "metrics": _scalars(record.metrics),
        "baseline": _scalars(record.baseline),
    }


def _scalars(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        split: found and {k: v for k, v in found.items() if isinstance(v, int | float)}
        for split, found in numbers.items()
    }
