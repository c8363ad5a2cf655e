"""Validation of a report, which others may have written."""

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
_SCALARS = ("loss", "log_loss", "accuracy", "mse", "rmse", "mae", "r2")


def invalid_part(record: RunRecord) -> str | None:
    """The first invalid part of a report; None if it is valid."""
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
    """Data, network, config, timing and files."""
    dataset, network, origin = record.dataset, record.network, record.extended_from
    texts = all(isinstance(dataset.get(key), str) for key in ("name", "sha256"))
    sound = {
        "dataset": texts and _are_divided(dataset),
        "network": _is_count(network.get("parameters")) and _are_layers(network),
        "config": _is_config(record.config),
        "timing": _is_timing(record.timing),
        "files": all(isinstance(digest, str) for digest in record.files.values()),
        "extended_from": origin is None or _is_count(origin.get("iterations")),
    }
    return next((part for part, well in sound.items() if not well), None)


def _are_divided(dataset: Mapping[str, Any]) -> bool:
    """Sizes of splits, and counts of unusual rows, which older versions did not write."""
    sizes = all(_is_count(dataset.get(key)) for key in _COUNTS)
    copies, unseen = dataset.get("duplicates", {}), dataset.get("unseen", [])
    return (
        sizes
        and all(_is_count(dataset.get(key, 0)) for key in ("left_out", "dropped"))
        and isinstance(copies, Mapping)
        and all(split in SPLITS and _is_count(rows) for split, rows in copies.items())
        and _are_blocks(unseen)
        and all(found.get("split") in SPLITS and _is_count(found.get("rows")) for found in unseen)
        and all(isinstance(found.get("column"), str) for found in unseen)
        and _is_split(dataset.get("split", {}))
    )


def _is_split(split: Any) -> bool:
    """How rows were split, which is not said of those split once at random."""
    if not split:
        return isinstance(split, dict)
    if not isinstance(split, dict) or not isinstance(split.get("by"), str):
        return False
    groups, times = split.get("groups", {}), split.get("times", {})
    return (
        isinstance(split.get("stratified"), bool)
        and isinstance(split.get("column", ""), str)
        and ("folds" not in split or all(_is_count(split.get(key)) for key in ("folds", "fold")))
        and ("column" in split or not (groups or times))
        and isinstance(groups, dict)
        and isinstance(times, dict)
        and all(map(_is_count, groups.values()))
        and all(isinstance(ends, list) and len(ends) == 2 for ends in times.values())
        and all(isinstance(end, str) or _is_number(end) for ends in times.values() for end in ends)
    )


def _is_config(config: Mapping[str, Any]) -> bool:
    blocks = all(isinstance(config.get(key), dict) for key in _CONFIG_BLOCKS)
    published = isinstance(config.get("published"), dict | None)
    return blocks and published and isinstance(config["loss"].get("type"), str)


def _is_timing(timing: Mapping[str, Any]) -> bool:
    speed = timing.get("iterations_per_second", "")
    known = speed is None or _is_number(speed)
    return known and _is_number(timing.get("train_seconds")) and _is_count(timing.get("iterations"))


def _numbers(record: RunRecord) -> str | None:
    """Metrics by split; a completed run has its main metric on the training split."""
    for name in ("metrics", "baseline"):
        splits: dict[str, Any] = getattr(record, name)
        if not all(isinstance(splits.get(split, 0), dict | None) for split in SPLITS):
            return name
        if not all(map(_are_metrics, splits.values())):
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
    for row in record.published:
        rest = (row["ours"], row["difference"])
        if not isinstance(row["metric"], str) or not _is_number(row["published"]):
            return "published"
        if not all(value is None or _is_number(value) for value in rest):
            return "published"
    if not _are_blocks(record.warnings):
        return "warnings"
    return None


def _are_blocks(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)


def _are_layers(network: Mapping[str, Any]) -> bool:
    layers: Any = network.get("layers")
    return _is_shape(network.get("input_shape")) and _are_blocks(layers) and all(
        isinstance(layer.get("type"), str)
        and _is_shape(layer.get("output_shape"))
        and _is_count(layer.get("parameters"))
        for layer in layers
    )  # fmt: skip


def _are_metrics(metrics: Mapping[str, Any] | None) -> bool:
    """Numbers, and for classes a square matrix of counts."""
    if not metrics:
        return True
    numbers = (metrics.get(name) for name in _SCALARS)
    if not all(value is None or _is_number(value) for value in numbers):
        return False
    confusion = metrics.get("confusion", [])
    if confusion is None:
        return True
    return isinstance(confusion, list) and all(
        _is_shape(row) and len(row) == len(confusion) for row in confusion
    )


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_count, value))


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)
