"""The diagnosis of a run: whether its result is useful, and if not, why.

Symptoms are what is wrong with the result. If there is one, causes are looked for, each by a
function of its own, and ordered by how much they explain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nnrun.runs.diagnosis.causes import CAUSES_OF_DIVERGENCE, CAUSES_OF_FAILURE
from nnrun.runs.diagnosis.held_out import about_held_out
from nnrun.runs.diagnosis.inputs import DiagnosisInput, Diagnostic
from nnrun.runs.diagnosis.overfitting import CAUSES_OF_OVERFITTING
from nnrun.runs.diagnosis.symptoms import SYMPTOMS

__all__ = ["DiagnosisInput", "Diagnostic", "about_held_out", "diagnose", "diagnose_divergence"]


def diagnose(case: DiagnosisInput) -> list[Diagnostic]:
    """The symptoms of a completed run, if any, then their causes, the likeliest first."""
    with np.errstate(all="ignore"):
        symptoms = [symptom for find in SYMPTOMS if (symptom := find(case)) is not None]
    if not symptoms:
        return []
    learned = all(symptom.split != "train" for symptom in symptoms)
    found = _causes(case, CAUSES_OF_OVERFITTING if learned else CAUSES_OF_FAILURE)
    unknown = Diagnostic(
        "unknown_cause",
        "neither scales, nor the learning rate, nor the number of iterations or rows, nor dead "
        "units explain it; perhaps these features say little about the target",
    )
    return [*symptoms, *(found or [unknown])]


def diagnose_divergence(case: DiagnosisInput) -> list[Diagnostic]:
    """The causes of a divergence, the likeliest first; there is always one."""
    return _causes(case, CAUSES_OF_DIVERGENCE)


def _causes(
    case: DiagnosisInput, causes: Sequence[Callable[[DiagnosisInput], Diagnostic | None]]
) -> list[Diagnostic]:
    with np.errstate(all="ignore"):  # of numbers near the largest
        there = [finding for cause in causes if (finding := cause(case)) is not None]
    return sorted(there, key=lambda finding: -finding.weight)
