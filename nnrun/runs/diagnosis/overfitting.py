"""Causes of overfitting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nnrun.runs.diagnosis.inputs import ERRORS, DiagnosisInput, Diagnostic
from nnrun.runs.diagnosis.learning_rate import unstable_rate
from nnrun.runs.diagnosis.order import unequal_classes
from nnrun.runs.diagnosis.scales import outliers
from nnrun.runs.diagnosis.symptoms import far_apart

# The best loss on held-out data must be below this share of the last one.
_BETTER = 0.9


def trained_past_the_best(case: DiagnosisInput) -> Diagnostic | None:
    """A held-out loss that was lower at an evaluation than with the weights that are kept."""
    for split in ("validation", "test"):
        rows = [row for row in case.history if f"{split}_loss" in row]
        kept = case.number(case.metrics, split, "loss")
        if len(rows) < 2 or kept is None:
            continue
        best = min(rows, key=lambda row: row[f"{split}_loss"])
        least = float(best[f"{split}_loss"])
        if least > _BETTER * kept:
            continue
        text = (
            f"the {split} loss was {least:.3g} at iteration {best['iteration']:,} and {kept:.3g} "
            f"at the end; try {_stopping(case)}"
        )
        return Diagnostic("trained_past_the_best", text, kept / max(least, 1e-300))
    return None


def many_parameters(case: DiagnosisInput) -> Diagnostic | None:
    """More parameters than numbers in the training targets."""
    parameters, rows = case.network.size, len(case.examples["train"])
    numbers = rows * (1 if case.classifies else case.examples["train"].target[0].size)
    if parameters <= numbers:
        return None
    decay = getattr(case.config.training.optimizer, "weight_decay", 0.0)
    more = "more weight_decay" if decay else "training.optimizer.weight_decay=0.01"
    text = f"{parameters:,} parameters for {rows:,} training rows; try fewer units, or {more}"
    return Diagnostic("many_parameters", text, 1.0)


def few_rows(case: DiagnosisInput) -> Diagnostic | None:
    """Held-out rows that are far from training rows, but better than the baseline.

    If they are not better, more rows may show just as little.
    """
    if far_apart(case) is None or (case.skill(case.judge) or 0.0) <= ERRORS * case.uncertainty(
        case.judge
    ):
        return None
    rows = len(case.examples["train"])
    return Diagnostic("few_rows", f"more training rows than {rows:,} would help")


CAUSES_OF_OVERFITTING: Sequence[Callable[[DiagnosisInput], Diagnostic | None]] = (
    trained_past_the_best,
    many_parameters,
    unstable_rate,
    outliers,
    unequal_classes,
    few_rows,
)


def _stopping(case: DiagnosisInput) -> str:
    if case.config.training.early_stopping is not None:
        return "a smaller patience in training.early_stopping"
    if not case.config.dataset.validation_size:
        return "dataset.validation_size=0.2 with training.early_stopping={}"
    return "training.early_stopping={}"
