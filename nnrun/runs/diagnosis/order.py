"""What a network has learned that its accuracy does not show."""

from __future__ import annotations

import numpy as np

from nnrun.metrics.balance import are_unequal
from nnrun.metrics.own import roc_auc
from nnrun.models.task import Classification
from nnrun.runs.diagnosis.inputs import ERRORS, DiagnosisInput, Diagnostic, named

# The splits by which it is judged, the first that there is.
_SPLITS = ("test", "validation", "train")


def beyond_accuracy(case: DiagnosisInput) -> Diagnostic | None:
    """An accuracy at the majority class's share, of probabilities that tell the classes apart.

    On the split that judges, the log loss must be below that of the class shares, and the area
    under the ROC curve above 1/2, beyond chance.
    """
    if not case.classifies or case.config.training.class_weight is not None:
        return None
    split = next(name for name in _SPLITS if name in case.outputs)
    if not case.at_share(split) or any(case.below_share(name) for name in case.outputs):
        return None
    auc, skill = _area(case, split), case.skill(split, metric="log_loss")
    if auc is None or skill is None or skill <= 0:
        return None
    loss, base = (
        case.number(numbers, split, "log_loss") for numbers in (case.metrics, case.baseline)
    )
    share, accuracy = case.main(case.baseline, split), case.main(case.metrics, split)
    shown = (
        f"the network tells them apart (ROC AUC {auc:.2f} on {named([split])} data, 0.5 by chance; "
        f"log loss {loss:.3g}, and {base:.3g} by the class shares)"
    )
    if are_unequal(np.bincount(case.examples["train"].y, minlength=_classes(case)).tolist()):
        text = (
            f"the classes are unequal: always naming the largest is right for {share:.3g} of "
            f"{named([split])} rows, so an accuracy of {accuracy:.3g} says little; {shown}; go by "
            f"balanced accuracy and ROC AUC, and try {_remedy(case, weights=True)}"
        )
        return Diagnostic("unequal_classes", text)
    text = (
        f"accuracy ({accuracy:.3g}) is no further from the largest class's share ({share:.3g}) "
        f"than chance, but {shown}; go by the probabilities, or try "
        f"{_remedy(case, weights=False)}"
    )
    return Diagnostic("weak_signal", text)


def _classes(case: DiagnosisInput) -> int:
    assert isinstance(case.task, Classification)
    return case.task.classes


def _remedy(case: DiagnosisInput, *, weights: bool) -> str:
    """Weights for the classes, and of two classes a threshold, unless it has one."""
    found = ["training.class_weight=balanced"] * weights
    if _classes(case) == 2 and case.config.decide is None:
        split = "" if case.config.dataset.validation_size else " with dataset.validation_size=0.2"
        best = "f1" if weights else "balanced_accuracy"
        found.append(f"a threshold by decide.maximize={best}{split}")
    return ", or ".join(found) or "metrics=[roc_auc, balanced_accuracy]"


def _area(case: DiagnosisInput, split: str) -> float | None:
    """The area under the ROC curve, if it is above that of any order by more than chance.

    Without a relation its variance is (n + 1) / (12 a b), of a rows of a class and b others: that
    of Mann and Whitney's statistic (Ann. Math. Statist. 18, 1947). Of several classes, the largest
    counts.
    """
    assert isinstance(case.task, Classification)
    part, probabilities = case.examples[split], case.task.probabilities(case.outputs[split])
    rows = np.bincount(part.y, minlength=case.task.classes).astype(np.float64)
    if probabilities is None or not rows.all():
        return None
    n, least = len(part), rows.min()
    chance = ERRORS * np.sqrt((n + 1) / (12 * least * (n - least)))
    area = roc_auc(part.y, probabilities, part.sample_weight)
    return area if area > 0.5 + chance else None
