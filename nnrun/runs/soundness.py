"""Whether a report holds what nnrun writes there, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, get_args

from nnrun.config.names import SPLITS
from nnrun.runs.record import RunRecord, Status

_TEXTS = (
    *("name", "run_id", "task", "engine", "started", "main_metric"),
    *("description", "nnrun_version"),
)
_BLOCKS = ("config", "dataset", "network", "metrics", "baseline", "timing", "environment", "files")
_COUNTS = ("n_train", "n_validation", "n_test", "n_features")
_CONFIG_BLOCKS = ("dataset", "network", "loss", "training")


def unsound_part(record: RunRecord) -> str | None:
    """The first part of a report that is not what it should be; None if all is well."""
    for test in (_plain_parts, _described, _numbers, _lists):
        part = test(record)
        if part is not None:
            return part
    return None


def _plain_parts(record: RunRecord) -> str | None:
    for name in _TEXTS:
        if not isinstance(getattr(record, name), str):
            return name
    for name in ("error", "weights_sha256"):
        if not isinstance(getattr(record, name), str | None):
            return name
    for name in _BLOCKS:
        if not isinstance(getattr(record, name), dict):
            return name
    for name in ("divergence", "extended_from"):
        if not isinstance(getattr(record, name), dict | None):
            return name
    if record.status not in get_args(Status):
        return "status"
    return None if type(record.seed) is int else "seed"


def _described(record: RunRecord) -> str | None:
    """Data, network, config and timing."""
    dataset, network, config, timing = (
        record.dataset, record.network, record.config, record.timing,
    )  # fmt: skip
    texts = all(isinstance(dataset.get(key), str) for key in ("name", "sha256"))
    if not texts or not all(_is_count(dataset.get(key)) for key in _COUNTS):
        return "dataset"
    layers = network.get("layers")
    if not _is_count(network.get("parameters")) or not _are_blocks(layers):
        return "network"
    if not all(isinstance(config.get(key), dict) for key in _CONFIG_BLOCKS):
        return "config"
    if not _is_number(timing.get("train_seconds")) or not _is_count(timing.get("iterations")):
        return "timing"
    if not all(isinstance(digest, str) for digest in record.files.values()):
        return "files"
    return None


def _numbers(record: RunRecord) -> str | None:
    """Metrics by split; a completed run has its main metric on the training split."""
    for name in ("metrics", "baseline"):
        splits: dict[str, Any] = getattr(record, name)
        if not all(isinstance(splits.get(split, 0), dict | None) for split in SPLITS):
            return name
    trained = record.metrics["train"] or {}
    if record.status == "completed" and not _is_number(trained.get(record.main_metric)):
        return "metrics"
    return None


def _lists(record: RunRecord) -> str | None:
    if not _are_blocks(record.published):
        return "published"
    if not all({"metric", "published", "ours", "difference"} <= set(r) for r in record.published):
        return "published"
    if not _are_blocks(record.warnings):
        return "warnings"
    return None


def _are_blocks(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)
