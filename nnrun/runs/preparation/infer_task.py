"""The task of a data file, inferred from the loss and the network."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.config.schema.experiment import BesideConfig, ExperimentConfig
from nnrun.config.schema.network import NetworkConfig
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
    loss = config.loss.type
    if loss in ("cross_entropy", "binary_cross_entropy"):
        return InferredTask("classification", f"as the loss {loss} says")
    last, units = last_layer(config.network)
    if last == "softmax":
        return InferredTask("classification", "as softmax at the end says")
    return None if config.dataset.columns is None else _of_table(loss, last, units)


def reason_of_task(config: ExperimentConfig) -> str | None:
    """The part of a resolved config that implies its task; None if the data set decides it."""
    implied = infer_task(config)
    return implied.reason if implied and implied.task == config.dataset.task else None


def _of_table(loss: str, last: str, units: int) -> InferredTask | None:
    if units > 1:
        return InferredTask("classification", f"as {units} outputs say")
    if units == 0 or last == "sigmoid":
        return None
    reason = f"as the loss {loss} and a single output without sigmoid say"
    return InferredTask("regression", reason)


def last_layer(network: NetworkConfig) -> tuple[str, int]:
    """The type of the last active layer, `linear` without any; and the number of outputs, or 0."""
    active_layers = Sequential([layer.build() for layer in network.layers]).active_layers
    layers = reversed(network.layers)
    units = next((found for layer in layers if (found := getattr(layer, "units", 0))), 0)
    return active_layers[-1].type if active_layers else "linear", units
