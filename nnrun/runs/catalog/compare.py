"""The differences between runs: settings and results."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass
from math import isclose
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.config.settings import differing, setting_of
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.record import KEYS, Replicate, RunRecord

# How far a metric may be from a loss that it repeats; float32 sums differ most.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Comparison:
    """Several runs, compared.

    `labels` and `statuses` have one of each run; `settings` and `results` its value for each key
    that differs. Seeds, folds and names are among the settings; metrics by split, iterations,
    seconds, engine, versions and numeric backend are results.
    """

    labels: list[str]
    statuses: list[str]
    settings: dict[str, list[Any]]
    results: dict[str, list[Any]]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON data."""
        return asdict(self)


def compare(records: Sequence[RunRecord]) -> Comparison:
    """The differences between these runs.

    Raises: KeyError, TypeError, ValueError or AttributeError if a record is invalid.
    """
    repeating = _repeating(records)
    results = _differing([_results(record, repeating) for record in records])
    metrics_first = sorted(results, key=lambda key: key.partition(" ")[0] not in SPLITS)
    return Comparison(
        labels=[f"{record.name}/{record.run_id}" for record in records],
        statuses=[record.status for record in records],
        settings=_differing([_settings(record) for record in records]),
        results={key: results[key] for key in metrics_first},
    )


def _differing(columns: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: [setting_of(column, key) for column in columns] for key in differing(columns)}


def _settings(record: RunRecord) -> dict[str, Any]:
    replicate = Replicate.of(record.config, record.seed)
    return {**dict(zip(KEYS, replicate, strict=True)), **settings_of(record)}


def _results(record: RunRecord, left_out: Container[str]) -> dict[str, Any]:
    numbers = {
        f"{split} {metric}": value
        for split in reversed(SPLITS)
        for metric, value in (record.metrics.get(split) or {}).items()
        if isinstance(value, int | float) and f"{split} {metric}" not in left_out
    }
    return {
        **numbers,
        "parameters": record.network["parameters"],
        "iterations": record.timing["iterations"],
        "seconds": record.timing["train_seconds"],
        "engine": record.engine,
        "arithmetic": record.numeric_backend,
        "nnrun": record.nnrun_version,
        **(record.environment.get("packages") or {}),
    }


def _repeating(records: Sequence[RunRecord]) -> set[str]:
    """The metrics that equal the loss in all runs, by split."""
    return {
        f"{split} log_loss"
        for split in SPLITS
        if all(_repeats_loss(record.metrics.get(split) or {}) for record in records)
    }


def _repeats_loss(numbers: dict[str, Any]) -> bool:
    loss, log_loss = numbers.get("loss"), numbers.get("log_loss")
    return loss is None or log_loss is None or isclose(loss, log_loss, rel_tol=_ROUNDING)
