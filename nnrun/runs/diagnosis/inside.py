"""Causes that are seen inside the network of a watched run."""

from __future__ import annotations

from math import log10

from nnrun.nn import ACTIVATIONS
from nnrun.runs.diagnosis.inputs import DiagnosisInput, Diagnostic, rounded
from nnrun.runs.diagnosis.learning_rate import learning_rate, one_digit
from nnrun.runs.diagnosis.watched import (
    FAINT,
    LARGE_UPDATE,
    SATURATED,
    exploding_gradients,
    faint_gradients,
    large_update,
    saturated_layer,
)

# The share of their size by which updates usually move weights.
_USUAL = 0.01


def vanishing_gradients(case: DiagnosisInput) -> Diagnostic | None:
    """Gradients that are lost on their way from the last layer to the first."""
    found = faint_gradients(case.watched)
    if found is None or case.watched is None:
        return None
    text = (
        f"gradients vanish from layer {found.where} on down, since iteration {found.iteration:,}: "
        f"at the first layer they are {found.value:.1g} of those at the last; try "
    )
    names = dict.fromkeys(unit["activation"] for unit in case.watched.units)
    flat = [name for name in names if not ACTIVATIONS[name].keeps_slope]
    cure = f"relu in place of {' and '.join(flat)}, with " if flat else ""
    text += f"{cure}network.initializer=he_normal, or batch_norm layers"
    return Diagnostic("vanishing_gradients", text, 2.0)


def growing_gradients(case: DiagnosisInput) -> Diagnostic | None:
    """Gradients that grow from layer to layer on their way back."""
    found = exploding_gradients(case.watched)
    if found is None:
        return None
    clip = "" if case.config.training.clip_norm else "training.clip_norm=1, or "
    text = (
        f"gradients explode on their way back: at layer {found.where} they are "
        f"{rounded(found.value)} times those at the last layer, at iteration "
        f"{found.iteration:,}; try {clip}an initializer with smaller weights, such as "
        "glorot_uniform, or batch_norm layers"
    )
    return Diagnostic("exploding_gradients", text, min(3.0, log10(found.value * FAINT) + 1.0))


def saturated_units(case: DiagnosisInput) -> Diagnostic | None:
    """Activations that are flat for nearly all rows, so that gradients hardly pass."""
    found = saturated_layer(case.watched)
    if found is None:
        return None
    cure = "a smaller learning rate"
    if found.from_start:
        cure = "smaller initial weights, or dataset.features=standard"
    part = f", {SATURATED:.0%} or more" if found.grew else ""
    text = (
        f"{found.value:.0%} of the {found.what} units of layer {found.where} are saturated{part} "
        f"since iteration {found.iteration:,}: flat for nearly all rows, so that gradients hardly "
        f"pass; try {cure}"
    )
    return Diagnostic("saturated_units", text, (1.5 if found.from_start else 1.0) * found.value)


def large_updates(case: DiagnosisInput) -> Diagnostic | None:
    """Updates that move weights by too large a part, where nothing else blames the rate."""
    found = large_update(case.watched, lasting=True)
    if found is None or learning_rate(case) is not None:
        return None
    smaller = one_digit(case.peak_rate * _USUAL / found.value)
    text = (
        f"updates move {found.where} by {found.value:.2g} of its size each (the median over the "
        f"run), where less than {LARGE_UPDATE:g} is usual; try training.learning_rate={smaller}"
    )
    return Diagnostic("learning_rate", text, 1.0 + min(2.0, log10(found.value / LARGE_UPDATE)))
