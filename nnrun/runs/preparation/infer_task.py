"""The task of a data file, inferred from the loss and the network."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.config.schema.beside import BesideConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import Task
from nnrun.nn.sequential import Sequential


@dataclass(frozen=True)
class InferredTask:
    """A task, and the reason for it."""

    task: Task
    reason: str


def infer_task(config: ExperimentConfig) -> InferredTask | None:
    """The task that the loss and the last layer imply; None if both tasks are possible.

    A table has one target, so several outputs mean classes. An npz file may have several targets;
    there, only a loss or an activation for classes means classes.
    """
    path = config.dataset.path
    if path is None or config.dataset.name is not None or isinstance(config, BesideConfig):
        return None
    return _of_classes(config) or (None if config.dataset.columns is None else _of_table(config))


def _of_classes(config: ExperimentConfig) -> InferredTask | None:
    if config.loss.type in ("cross_entropy", "binary_cross_entropy"):
        return InferredTask("classification", f"as the loss {config.loss.type} says")
    if last_layer(config)[0] == "softmax":
        return InferredTask("classification", "as softmax at the end says")
    return None


def _of_table(config: ExperimentConfig) -> InferredTask | None:
    last, units = last_layer(config)
    if units > 1:
        return InferredTask("classification", f"as {units} outputs say")
    if units == 0 or last == "sigmoid":
        return None
    reason = f"as the loss {config.loss.type} and a single output without sigmoid say"
    return InferredTask("regression", reason)


def last_layer(config: ExperimentConfig) -> tuple[str, int]:
    """The type of the last active layer, `linear` without any; and the number of outputs, or 0."""
    active_layers = Sequential([layer.build() for layer in config.network.layers]).active_layers
    layers = reversed(config.network.layers)
    units = next((found for layer in layers if (found := getattr(layer, "units", 0))), 0)
    return active_layers[-1].type if active_layers else "linear", units
