"""The error message of a run that diverged."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.nn.sequential import dotted
from nnrun.runs.diagnosis.inputs import Diagnostic
from nnrun.training.divergence import Divergence


def describe_divergence(
    config: ExperimentConfig, found: Divergence, causes: Sequence[Diagnostic] = ()
) -> str:
    """A sentence that says what went wrong, where and when, and what to try."""
    advice = [f"{cause.message[0].upper()}{cause.message[1:]}" for cause in causes]
    return ". ".join([f"diverged: {_what(config, found)}", *advice])


def _what(config: ExperimentConfig, found: Divergence) -> str:
    at = f"at iteration {found.iteration:,}"
    where = "the loss"
    if found.parameter is not None:
        layer, _, name = found.parameter.rpartition(".")
        types = {dotted(place): layer.type for place, layer in config.network.named_layers()}
        where = f"the {name} of layer {layer} ({types[layer]})"
    if found.memory is not None:
        where = f"the optimizer's {found.memory} for {where}"
    if found.cause == "loss":
        return (
            f"the training loss left where it began ({found.began:.4g}) {at} and ended at "
            f"{found.loss:.4g}"
        )
    if found.cause == "weights":
        return (
            f"{where} left any useful range {at}, with weights up to {found.largest_weight:.1g} "
            "at the end and a loss no better than the baseline's"
        )
    if found.last_good_loss is None:
        return "the loss was beyond the range of numbers from the start"
    return (
        f"{where} left the range of numbers {at} (last good loss {found.last_good_loss:.6g} at "
        f"iteration {found.last_good_iteration:,})"
    )
