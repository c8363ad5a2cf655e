"""Causes of a run that learned nothing, or diverged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nnrun.runs.diagnosis.inputs import DiagnosisInput, Diagnostic
from nnrun.runs.diagnosis.inside import (
    growing_gradients,
    large_updates,
    saturated_units,
    vanishing_gradients,
)
from nnrun.runs.diagnosis.iterations import too_few_iterations
from nnrun.runs.diagnosis.learning_rate import any_learning_rate, learning_rate
from nnrun.runs.diagnosis.order import unequal_classes
from nnrun.runs.diagnosis.scales import feature_scale, outliers, target_scale
from nnrun.runs.diagnosis.units import dead_units

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
