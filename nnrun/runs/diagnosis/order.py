"""What a network has learned that its accuracy does not show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.metrics.compute import roc_auc
from nnrun.metrics.table import are_unequal
from nnrun.models.task import Classification
from nnrun.runs.diagnosis.inputs import ERRORS, DiagnosisInput, Diagnostic, named


def beyond_accuracy(case: DiagnosisInput) -> Diagnostic | None:
    """An accuracy at the majority class's share, of probabilities that tell the classes apart.

    On the split that judges, the log loss must be below that of the class shares, and the area
    under the ROC curve above 1/2, beyond chance.
    """
    split = case.judge
    if not case.by_accuracy or not case.at_share(split) or any(map(case.below_share, case.outputs)):
        return None
    skill = case.skill(split, metric="log_loss")
    if skill is None or skill <= 0:
        return None
    auc = _area(case, split)
    if auc is None or not auc.beyond_chance:
        return None
    (loss, base), (accuracy, share) = case.beside(split, "log_loss"), case.beside(split)
    text = (
        f"accuracy ({accuracy:.3g}) is no further from the largest class's share ({share:.3g}) "
        f"than chance, but the network tells classes apart (ROC AUC {auc.value:.2f} on "
        f"{named([split])} data, 0.5 by chance; log loss {loss:.3g}, {base:.3g} by class shares)"
    )
    if _unequal(case):
        text = f"the classes are unequal: {text}; go by ROC AUC and balanced accuracy, and try"
        return Diagnostic("unequal_classes", f"{text} {_remedy(case)}")
    threshold = f", or try {_threshold(case, 'balanced_accuracy')}" * (_classes(case) == 2)
    return Diagnostic("weak_signal", f"{text}; go by the probabilities{threshold}")


def unequal_classes(case: DiagnosisInput) -> Diagnostic | None:
    """Classes so unequal that accuracy is at the largest one's share without learning."""
    split = case.judge
    if not case.by_accuracy or not _unequal(case) or not case.at_share(split):
        return None
    rows, auc = np.bincount(case.examples["train"].y, minlength=_classes(case)), _area(case, split)
    text = f"the classes are unequal: {rows.min():,} of {rows.sum():,} training rows are of one"
    if auc is not None:
        text += f"; ROC AUC on {named([split])} data is {auc.value:.2f}"
        text += f", which {auc.least:,} rows of a class do not tell from 0.5" * (
            not auc.beyond_chance
        )
    return Diagnostic("unequal_classes", f"{text}; try {_remedy(case)}", 0.5)


def _classes(case: DiagnosisInput) -> int:
    assert isinstance(case.task, Classification)
    return case.task.classes


def _unequal(case: DiagnosisInput) -> bool:
    rows = np.bincount(case.examples["train"].y, minlength=_classes(case))
    return are_unequal(rows.tolist())


def _remedy(case: DiagnosisInput) -> str:
    """For unequal classes: weights, or of two classes a threshold."""
    threshold = f", or {_threshold(case, 'f1')}" * (_classes(case) == 2)
    return f"training.class_weight=balanced{threshold}"


def _threshold(case: DiagnosisInput, best: str) -> str:
    split = "" if case.config.dataset.validation_size else " with dataset.validation_size=0.2"
    return f"a threshold by decide.maximize={best}{split}"


@dataclass(frozen=True)
class _Area:
    """The area under the ROC curve.

    Args:
        value: the area.
        least: rows of the rarest class.
        beyond_chance: whether it is above that of any order by more than chance.
    """

    value: float
    least: int
    beyond_chance: bool


def _area(case: DiagnosisInput, split: str) -> _Area | None:
    """The area of a split; None without probabilities, or without rows of a class.

    Without a relation its variance is (n + 1) / (12 a b), of a rows of a class and b others: that
    of Mann and Whitney's statistic (Ann. Math. Statist. 18, 1947). Of several classes, the largest
    counts.
    """
    assert isinstance(case.task, Classification)
    part, probabilities = case.examples[split], case.task.probabilities(case.outputs[split])
    rows = np.bincount(part.y, minlength=case.task.classes)
    if probabilities is None or not rows.all():
        return None
    n, least = len(part), int(rows.min())
    area = roc_auc(part.y, probabilities, part.sample_weight)
    chance = ERRORS * np.sqrt((n + 1) / (12 * least * (n - least)))
    return _Area(area, least, bool(area > 0.5 + chance))
