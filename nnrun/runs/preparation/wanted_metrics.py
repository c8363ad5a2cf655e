"""The metrics that a run computes beside those of its task, and whether they suit it."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.config.schema.experiment import BesideConfig, ExperimentConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.data.dataset import Dataset
from nnrun.metrics.table import LOSS, Metric, are_unequal, find, names_of
from nnrun.runs.preparation.infer_task import last_layer

_MONITOR: KeyPath = ("training", "early_stopping", "monitor")
_ORDER: KeyPath = ("sweep", "order_by")


def wanted_metrics(config: ExperimentConfig, dataset: Dataset) -> list[str]:
    """What `metrics` says, or by default what unequal classes need; then those named elsewhere."""
    asked = _by_default(config, dataset) if config.metrics is None else config.metrics
    named = (metric for _, metric in _named(config) if find(metric) and not _is_usual(metric))
    return list(dict.fromkeys([*asked, *named]))


def metric_mismatches(
    config: ExperimentConfig, probabilistic: bool, dataset: Dataset
) -> Iterator[tuple[KeyPath, str]]:
    """Metrics that the run cannot compute, wherever the config names them.

    `probabilistic` is whether outputs are probabilities of classes.
    """
    listed = [(("metrics", index), name) for index, name in enumerate(config.metrics or ())]
    sizes = {"validation": config.dataset.validation_size, "test": config.dataset.test_size}
    said = set()
    for path, name in [*_named(config), *listed]:
        problem = unsuitable(name, probabilistic, dataset)
        if problem is None and path[0] == "published":
            split = str(path[1]).partition("_")[0]
            problem = f"there is no {split} split" if sizes.get(split, 1) == 0 else None
        # The resolved list has those named elsewhere, too.
        if problem is not None and (path[0] != "metrics" or name not in said):
            said.add(name)
            yield path, problem


def unsuitable(name: str, probabilistic: bool, dataset: Dataset) -> str | None:
    """Why a metric cannot be computed for these outputs and data; None if it can."""
    metric = find(name)
    if metric is None:
        return None
    if metric.task != dataset.task:
        known = ", ".join((LOSS, *filter(_is_usual, names_of(dataset.task))))
        return f"{dataset.task} has no {name}; there are {known}, and more in `nnrun help metrics`"
    if metric.needs == "probabilities" and not probabilistic:
        return f"{name} needs probabilities: end the network in softmax, or in one sigmoid unit"
    if metric.one_output and dataset.outputs > 1:
        return f"{name} is for one number to predict, and {dataset.name} has {dataset.outputs}"
    return _wrong_classes(metric, len(dataset.classes), dataset.name)


def _wrong_classes(metric: Metric, classes: int, dataset: str) -> str | None:
    if metric.options.get("average") == "binary" and classes != 2:
        other = metric.name.replace("binary", "macro")
        return f"{metric.name} is for two classes, and {dataset} has {classes}; write {other}"
    if metric.options.get("k", 0) >= classes > 0:
        return f"{metric.name} is always 1 for the {classes} classes of {dataset}"
    return None


def _by_default(config: ExperimentConfig, dataset: Dataset) -> list[str]:
    if dataset.task != "classification":
        return []
    if not are_unequal((dataset.whole or dataset).class_counts):
        return []
    beside = isinstance(config, BesideConfig)
    last, units = ("softmax", 0) if beside else last_layer(config.network)
    probabilistic = last == "softmax" or (last == "sigmoid" and units == 1)
    return ["balanced_accuracy", *(["roc_auc"] if probabilistic else [])]


def _named(config: ExperimentConfig) -> Iterator[tuple[KeyPath, str]]:
    """The metrics that other keys than `metrics` name, with the paths of these keys."""
    if not isinstance(config, BesideConfig) and config.training.early_stopping is not None:
        monitor = config.training.early_stopping.monitor
        yield _MONITOR, monitor.removeprefix("validation_")
    if config.sweep is not None and config.sweep.order_by is not None:
        yield _ORDER, config.sweep.order_by
    for key in config.published.numbers if config.published else ():
        yield ("published", key), key.partition("_")[2]


def _is_usual(name: str) -> bool:
    metric = find(name)
    return metric is not None and metric.always
