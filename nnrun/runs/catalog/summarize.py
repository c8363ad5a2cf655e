"""The summary of one run, from its report and its lock."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from nnrun.config.names import SPLITS, changes_nothing
from nnrun.config.settings import flatten
from nnrun.metrics.table import larger_is_better
from nnrun.runs.catalog.board_part import text_of
from nnrun.runs.catalog.index_file import JsonMapping, Line
from nnrun.runs.catalog.summary import (
    COMPLETED,
    DAMAGED,
    INTERRUPTED,
    PLAIN,
    QUEUED,
    RUNNING,
    UNREADABLE,
    RunSummary,
)
from nnrun.runs.identity import is_run_id
from nnrun.runs.record import RunRecord, numeric_environment
from nnrun.runs.replicate import Replicate, setting
from nnrun.runs.storage.contents.names import CHECKPOINT, REPORT
from nnrun.runs.storage.contents.progress import RunProgress, read_progress
from nnrun.runs.storage.durable.files import has_leftovers
from nnrun.runs.storage.folders import is_held
from nnrun.runs.storage.reading import STUCK, StoredRun, is_stuck, read_run

# Where data are; `dataset.sha256` says which.
PLACES = ("dataset.path", "dataset.images.folder")


def read_with_summary(
    folder: Path, *, placed: bool = False
) -> tuple[RunSummary, RunRecord | None] | None:
    """The run in a folder, `placed` as for `read_run`; None where there is none.

    There is no record where it is not as it was written.
    """
    run = read_run(folder, placed=placed)
    summary = summarize(run, folder)
    if summary is None:
        return None
    return summary, None if run is None or run.problem else run.record


def summarize(run: StoredRun | None, folder: Path) -> RunSummary | None:
    """The summary of what was read from a folder; None where there is no run."""
    if run is None:
        # Until its first checkpoint, a run has nothing but its lock.
        if is_run_id(folder.name) and is_held(folder):
            return _in_progress(folder.parent.name, folder.name, folder)
        return None
    return _described(run, folder)


def settings_of(record: RunRecord) -> JsonMapping:
    """The settings that decide a run's numbers, by dotted key, without seeds and fold, which tell
    runs of one setting apart; data by digest.
    """
    return _settings(record.config, str(record.dataset["sha256"]))


def _settings(config: Mapping[str, Any], sha256: str) -> JsonMapping:
    deciding = {k: v for k, v in setting(config).items() if not changes_nothing(k)}
    return _flat(json.dumps(deciding), sha256[:10])


@lru_cache(maxsize=64)  # the same for all runs of a setting
def _flat(config: str, data: str) -> JsonMapping:
    found = flatten(json.loads(config))
    for key in (*PLACES, *filter(changes_nothing, [*found])):
        found.pop(key, None)
    return JsonMapping(json.dumps({**found, "dataset.sha256": data}))


def _in_progress(name: str, run_id: str, folder: Path) -> RunSummary:
    """Of a run that a process holds, and that has no report yet."""
    found = read_progress(folder)
    summary = RunSummary(name, run_id, started=_changed(folder), **_now(found))
    if found is None:
        return summary
    summary = summary._replace(
        seed=found.seed, split_seed=found.split_seed, fold=found.fold,
        seconds=found.seconds, iterations=found.iteration,
    )  # fmt: skip
    with suppress(AttributeError, TypeError, KeyError):  # its config is not what nnrun writes
        return summary._replace(settings=_settings(found.config or {}, found.sha256))
    return summary


def _now(progress: RunProgress | None) -> dict[str, Any]:
    """Status and progress of a run that a process holds."""
    if progress is not None and progress.waits:
        return {"status": QUEUED}
    return {"status": RUNNING, "progress": progress}


def _described(run: StoredRun, folder: Path) -> RunSummary:
    held = not run.complete and is_held(folder)
    if run.record is None:
        if held:
            return _in_progress(run.name, run.run_id, folder)
        faulty = UNREADABLE if run.is_unreadable else DAMAGED
        status = INTERRUPTED if run.unfinished else faulty
        return RunSummary(run.name, run.run_id, status, error=run.problem, started=_changed(folder))
    record, status = run.record, DAMAGED if run.problem else run.record.status
    stuck = status == INTERRUPTED and is_stuck(record.environment.get("numerics"))
    try:
        replicate = Replicate.of(record.config, record.seed)
        found = {s: (record.metrics.get(s) or {}).get(record.main_metric) for s in SPLITS}
        numbers: dict[str, Any] = {s: v for s, v in found.items() if isinstance(v, int | float)}
        summary = RunSummary(
            name=run.name,
            run_id=run.run_id,
            status=str(status),
            warnings=len(record.warnings) if record.status == COMPLETED else 0,
            error=run.problem or (STUCK if stuck else record.error),
            seed=record.seed,
            split_seed=replicate.split_seed,
            fold=replicate.fold,
            metric=record.main_metric,
            larger_is_better=larger_is_better(record.main_metric),
            **numbers,
            started=str(record.started),
            seconds=record.timing["train_seconds"],
            iterations=record.timing["iterations"],
            extended_from=(record.extended_from or {}).get("run_id"),
            search=record.search,
            metrics=_numbers(record),
            settings=settings_of(record),
        )
        if not held:
            return summary
        # The error of its record is how it ended before.
        return summary._replace(error=run.problem, **_now(read_progress(folder)))
    except (AttributeError, TypeError, KeyError):
        why = f"{REPORT} is not what nnrun writes"
        return RunSummary(run.name, run.run_id, DAMAGED, error=why, started=_changed(folder))


def _numbers(record: RunRecord) -> dict[str, float]:
    """All metrics that are a number, by split and name."""
    return {
        f"{split}_{name}": value
        for split in SPLITS
        for name, value in (record.metrics.get(split) or {}).items()
        if isinstance(value, int | float)
    }


def _changed(folder: Path) -> str | None:
    try:
        moment = datetime.fromtimestamp(os.stat(folder).st_mtime, UTC)
    except OSError:
        return None
    return moment.isoformat(timespec="microseconds")


def line_of(folder: Path, stamp: str) -> Line | None:
    """The line of the run in a folder; None unless it is complete and has no leftovers.

    SQLite cannot hold larger whole numbers than of 64 bits.

    The stamp must be older than this call.
    """
    run = read_run(folder, placed=True)
    if run is None or not stamp or has_leftovers(folder) or (folder / CHECKPOINT).exists():
        return None
    return _line(run, folder, stamp)


def line_of_record(record: RunRecord, folder: Path, stamp: str) -> Line | None:
    """The line that `line_of` would read for a run that was just written."""
    return _line(StoredRun(record.name, record.run_id, record), folder, stamp)


def _line(run: StoredRun, folder: Path, stamp: str) -> Line | None:
    if run.record is None or not run.complete:
        return None
    summary, board = _described(run, folder), text_of(run.record)
    numbers = (value for name in PLAIN if type(value := getattr(summary, name)) is int)
    if summary.status == DAMAGED or not board or any(abs(number) >= 2**63 for number in numbers):
        return None
    return Line(summary, json.dumps(_essentials(run.record)), board, stamp)


def _essentials(record: RunRecord) -> dict[str, Any]:
    """A report without its large parts, which neither sweeps nor boards need."""
    data = ("name", "sha256", *(f"n_{split}" for split in SPLITS))
    return {
        **record.to_dict(),
        "config": {"published": record.config.get("published")},
        "files": {},
        "network": {"parameters": record.network["parameters"]},
        "dataset": {key: record.dataset[key] for key in data},
        "environment": numeric_environment(record.environment),
        "metrics": _scalars(record.metrics),
        "baseline": _scalars(record.baseline),
    }


def _scalars(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        split: found and {k: v for k, v in found.items() if v is None or isinstance(v, int | float)}
        for split, found in numbers.items()
    }
