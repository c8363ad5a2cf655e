"""The diagnosis of a run: whether its result is useful, and if not, why.

Symptoms are what is wrong with the result. If there is one, causes are looked for, each by a
function of its own, and ordered by how much they explain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.nn.sequential import dotted
from nnrun.runs.diagnosis.data import about_data
from nnrun.runs.diagnosis.inputs import (
    FACTOR,
    DiagnosisInput,
    Diagnostic,
    about_undefined,
    feature_scale,
    outliers,
    target_scale,
)
from nnrun.runs.diagnosis.symptoms import (
    BEYOND_ACCURACY,
    CAUSES_OF_OVERFITTING,
    SYMPTOMS,
    too_few_iterations,
)
from nnrun.runs.diagnosis.training import (
    any_learning_rate,
    beyond_accuracy,
    dead_units,
    excess,
    growing_gradients,
    large_updates,
    learning_rate,
    saturated_units,
    unequal_classes,
    vanishing_gradients,
)
from nnrun.runs.diagnosis.watched import first_gradients
from nnrun.training.stopping import Divergence

__all__ = [
    "DiagnosisInput",
    "Diagnostic",
    "about_data",
    "about_undefined",
    "diagnose",
    "diagnose_divergence",
]

# What has been looked at without result, of a network that has learned its training rows or not.
_LOOKED_AT = {
    False: "nothing unusual in scales, learning rate, number of iterations and hidden units",
    True: "the held-out loss was not much lower before, and the network has no more parameters "
    "than training rows",
}
# Symptoms that no setting of the training explains.
_WITHOUT_CAUSES = ("worse_than_naive", "negative_r2")
_GRADIENTS = "; gradients at the first layer are {:.1g} of those at the last"
_COMPARE = (
    "whether these features say anything about the target is not known; nnrun sweep CONFIG "
    "--beside linear,forest shows what other models make of them"
)


def diagnose(case: DiagnosisInput) -> list[Diagnostic]:
    """The symptoms of a completed run, if any, then their causes, the likeliest first."""
    with np.errstate(all="ignore"):
        learned = beyond_accuracy(case)
        look = SYMPTOMS if learned is None else BEYOND_ACCURACY
        found = [symptom for find in look if (symptom := find(case)) is not None]
    if learned is None and not any(symptom.split for symptom in found):
        return found
    symptoms = [symptom for symptom in found if symptom.split or symptom.kind in _WITHOUT_CAUSES]
    symptoms = symptoms if learned is None else [learned, *symptoms]
    trained = excess(case) < FACTOR and all(symptom.split != "train" for symptom in symptoms)
    looked_for = CAUSES_OF_OVERFITTING if trained and learned is None else CAUSES_OF_FAILURE
    by_kind = {cause.kind: cause for cause in [*found, *_causes(case, looked_for)]}
    said = {symptom.kind for symptom in symptoms}
    causes = [cause for kind, cause in by_kind.items() if kind not in said]
    if not causes and learned is None:
        seen = first_gradients(case.watched)
        looked_at = _LOOKED_AT[trained] + (_GRADIENTS.format(seen) if seen else "")
        causes = [Diagnostic("unknown_cause", f"no cause found: {looked_at}; {_COMPARE}")]
    return [*symptoms, *sorted(causes, key=lambda cause: -cause.weight)]


def diagnose_divergence(case: DiagnosisInput) -> list[Diagnostic]:
    """The causes of a divergence, the likeliest first; there is always one."""
    return _causes(case, CAUSES_OF_DIVERGENCE)


def _causes(
    case: DiagnosisInput, causes: Sequence[Callable[[DiagnosisInput], Diagnostic | None]]
) -> list[Diagnostic]:
    with np.errstate(all="ignore"):  # of numbers near the largest
        there = [finding for cause in causes if (finding := cause(case)) is not None]
    return sorted(there, key=lambda finding: -finding.weight)


CAUSES_OF_FAILURE: Sequence[Callable[[DiagnosisInput], Diagnostic | None]] = (
    feature_scale,
    target_scale,
    outliers,
    learning_rate,
    too_few_iterations,
    dead_units,
    vanishing_gradients,
    growing_gradients,
    saturated_units,
    large_updates,
    unequal_classes,
)
CAUSES_OF_DIVERGENCE: Sequence[Callable[[DiagnosisInput], Diagnostic | None]] = (
    feature_scale,
    target_scale,
    any_learning_rate,
    growing_gradients,
    saturated_units,
)


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
