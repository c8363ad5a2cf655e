"""The task of a file's data, where the config does not say it: the network says it already."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import Task
from nnrun.nn.sequential import Sequential


@dataclass(frozen=True)
class InferredTask:
    """A task, and what says that it is this one."""

    task: Task
    reason: str


def infer_task(config: ExperimentConfig) -> InferredTask | None:
    """What the loss and the last layer mean; None where they go with either.

    A table has one target, so that several outputs are one for each class. An npz file may have
    several targets; there, only what cannot mean numbers is taken to mean classes.
    """
    path = config.dataset.path
    if path is None or config.dataset.name is not None:
        return None
    return _of_classes(config) or (_of_table(config) if path.lower().endswith(".csv") else None)


def _of_classes(config: ExperimentConfig) -> InferredTask | None:
    if config.loss.type in ("cross_entropy", "binary_cross_entropy"):
        return InferredTask("classification", f"as the loss {config.loss.type} says")
    if _last_type(config) == "softmax":
        return InferredTask("classification", "as softmax at the end says")
    return None


def _of_table(config: ExperimentConfig) -> InferredTask | None:
    layers = reversed(config.network.layers)
    units = next((found for layer in layers if (found := getattr(layer, "units", 0))), 0)
    if units > 1:
        return InferredTask("classification", f"as {units} outputs say")
    if units == 0 or _last_type(config) == "sigmoid":
        return None
    reason = f"as the loss {config.loss.type} and a single output without sigmoid say"
    return InferredTask("regression", reason)


def _last_type(config: ExperimentConfig) -> str:
    active_layers = Sequential([layer.build() for layer in config.network.layers]).active_layers
    return active_layers[-1].type if active_layers else "linear"
