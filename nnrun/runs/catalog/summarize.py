"""The summary of one run, from its report and its lock."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from sys import intern
from typing import Any

from nnrun.config.names import SPLITS, changes_nothing
from nnrun.config.settings import flatten
from nnrun.metrics.table import larger_is_better
from nnrun.runs.catalog.index_file import Line
from nnrun.runs.catalog.summary import (
    COMPLETED,
    DAMAGED,
    INTERRUPTED,
    PLAIN,
    QUEUED,
    RUNNING,
    UNREADABLE,
    JsonMapping,
    Numbers,
    RunSummary,
)
from nnrun.runs.record import Replicate, RunRecord, is_run_id, numeric_environment, setting
from nnrun.runs.severity import OF_DATA
from nnrun.runs.storage.durable import has_leftovers
from nnrun.runs.storage.progress import RunProgress, read_progress
from nnrun.runs.storage.reading import CHECKPOINT, REPORT, STUCK, StoredRun, is_stuck, read_run
from nnrun.runs.storage.sweep_progress import is_held

# Where data are; `dataset.sha256` says which.
PLACES = ("dataset.path", "dataset.images.folder")


DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)
"""Errors that the values of a damaged report can raise."""
_SOUND = {int, float, bool, type(None)}


def read_summary(
    folder: Path, order_by: str | None = None, *, placed: bool = False
) -> RunSummary | None:
    """The run in a folder, `placed` as for `read_run`, by a metric as `by_metric`; None where there
    is none.
    """
    run = read_run(folder, placed=placed)
    summary = summarize(run, folder)
    if summary is None or run is None or run.record is None or run.problem:
        return summary
    return by_metric(summary, run.record, order_by)


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
    """Summary of a run that a process holds, and that has no report yet."""
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
    record = run.record
    try:
        summary = summary_of(record)
    except (AttributeError, TypeError, KeyError):
        why = f"{REPORT} is not what nnrun writes"
        return RunSummary(run.name, run.run_id, DAMAGED, error=why, started=_changed(folder))
    if run.problem:
        summary = summary._replace(
            name=run.name, run_id=run.run_id, status=DAMAGED, error=run.problem, rows=()
        )
    elif record.status == INTERRUPTED and is_stuck(record.environment.get("numerics")):
        summary = summary._replace(error=STUCK)
    if not held:
        return summary
    # The error of its record is how it ended before.
    return summary._replace(error=run.problem, **_now(read_progress(folder)))


def summary_of(record: RunRecord) -> RunSummary:
    """The row of a record.

    Raises: AttributeError, TypeError, KeyError if it does not hold what nnrun writes.
    """
    metrics = {
        f"{split}_{name}": value
        for split in SPLITS
        for name, value in (record.metrics.get(split) or {}).items()
        if isinstance(value, int | float)
    }
    replicate = Replicate.of(record.config, record.seed)
    return score_of(record, replicate)._replace(metrics=metrics, settings=settings_of(record))


def score_of(record: RunRecord, replicate: Replicate) -> RunSummary:
    """The row of a record without its settings and other metrics, which a sweep need not keep."""
    main = record.main_metric
    found = {split: (record.metrics.get(split) or {}).get(main) for split in SPLITS}
    numbers: dict[str, Any] = {s: v for s, v in found.items() if isinstance(v, int | float)}
    return RunSummary(
        name=record.name,
        run_id=record.run_id,
        status=str(record.status),
        warnings=len(record.warnings) if record.status == COMPLETED else 0,
        error=record.error,
        seed=record.seed,
        split_seed=replicate.split_seed,
        fold=replicate.fold,
        metric=intern(main),
        larger_is_better=larger_is_better(main),
        **numbers,
        started=str(record.started),
        seconds=record.timing["train_seconds"],
        iterations=record.timing["iterations"],
        extended_from=(record.extended_from or {}).get("run_id"),
        search=record.search,
        commit=record.commit,
        **_board_part(record),
    )


def _board_part(record: RunRecord) -> dict[str, Any]:
    """The values that boards take besides; none if one of them is damaged."""
    try:
        ours = {row["metric"]: row["ours"] for row in record.published}
        published = record.config.get("published") or {}
        baseline = _by_split(record.baseline, record.main_metric)
        metrics = _by_split(record.metrics, record.main_metric)
        part: dict[str, Any] = {
            "dataset": intern(record.dataset["name"]),
            "sha256": intern(record.dataset["sha256"]),
            "rows": tuple(record.dataset[f"n_{split}"] for split in SPLITS),
            "parameters": int(record.network["parameters"]),
            "baseline": baseline,
            "published": {key: value for key, value in published.items() if key != "source"},
            "ours": tuple(ours[metric] for metric in sorted(ours)),
            "naive": _naive(record, record.main_metric),
            **_warnings(record),
            "arithmetic": intern(record.numeric_backend),
        }
    except DAMAGE:
        return {}
    numbers = (*metrics, *baseline, *chain(*part["naive"].values()))
    return part if _are_sound(*numbers, record.timing["train_seconds"]) else {}


def _naive(record: RunRecord, metric: str) -> dict[str, Numbers]:
    return {intern(steps): _by_split(each, metric) for steps, each in record.naive.items()}


def _warnings(record: RunRecord) -> dict[str, str]:
    """The kind of the first warning about the network, and those about the data, in a line each."""
    pairs = [(str(each["kind"]), str(each["message"])) for each in record.warnings]
    # What follows a colon is advice.
    of_data = [f"{kind}: {text.partition(': ')[0]}" for kind, text in pairs if kind in OF_DATA]
    kinds = [kind for kind, _ in pairs if kind not in OF_DATA]
    return {"warning": intern((kinds or [""])[0]), "about_data": intern("\n".join(of_data))}


def by_metric(run: RunSummary, record: RunRecord, metric: str | None) -> RunSummary:
    """A row with this as its main metric, where its record has it; as it is for None."""
    if metric is None or not run.is_sound or not record.has_metric(metric):
        return run
    try:
        numbers, baseline = (_by_split(n, metric) for n in (record.metrics, record.baseline))
        naive = _naive(record, metric)
    except DAMAGE:
        return run._replace(rows=())
    train, validation, test = numbers
    return run._replace(
        metric=intern(metric),
        larger_is_better=larger_is_better(metric),
        train=train,
        validation=validation,
        test=test,
        baseline=baseline,
        naive=naive,
        rows=run.rows if _are_sound(*numbers, *baseline, *chain(*naive.values())) else (),
    )


def _are_sound(*numbers: Any) -> bool:
    """Whether these can be numbers of a sound report, or are not known."""
    return _SOUND.issuperset(map(type, numbers))


def _by_split(numbers: Mapping[str, Mapping[str, Any] | None], metric: str) -> Numbers:
    """A metric on each split."""
    found = [numbers[split] for split in SPLITS]
    return tuple([None if each is None else each.get(metric) for each in found])


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
    summary = _described(run, folder)
    numbers = (value for name in PLAIN if type(value := getattr(summary, name)) is int)
    if not summary.is_sound or any(abs(number) >= 2**63 for number in numbers):
        return None
    return Line(summary, json.dumps(_essentials(run.record)), stamp)


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
        "naive": {steps: _scalars(each) for steps, each in record.naive.items()},
    }


def _scalars(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        split: found and {k: v for k, v in found.items() if v is None or isinstance(v, int | float)}
        for split, found in numbers.items()
    }
