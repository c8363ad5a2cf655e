"""Symptoms of a useless result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nnrun.runs.diagnosis.inputs import DiagnosisInput, Diagnostic

# Predictions are the same if they differ by less than this share of the target's spread.
_SAME = 1e-6
# Training and held-out data are far apart if the skill differs by this much. Over twenty seeds of
# each shipped config it differs by at most 0.25, on 102 test rows.
_GAP = 0.3
# A skill below this is negligible.
_LITTLE = 0.1
# Chance explains differences up to this many standard errors.
_ERRORS = 2.0


def worse_than_baseline(case: DiagnosisInput) -> Diagnostic | None:
    """Splits on which the main metric is worse than that of a model that ignores the features."""
    worse = [split for split in case.outputs if (case.skill(split) or 0.0) < -1e-12]
    if not worse:
        return None
    text = f"worse than always {_baseline(case)}, on {_named(worse)} data"
    return Diagnostic("worse_than_baseline", text, split=worse[0])


def one_prediction(case: DiagnosisInput) -> Diagnostic | None:
    """The same prediction for all training rows."""
    predicted = np.asarray(case.task.decode(case.outputs["train"]), np.float64)
    spread = 0.0 if case.classifies else float(np.std(case.examples["train"].y))
    if len(predicted) < 2 or (np.ptp(predicted, axis=0) > _SAME * spread).any():
        return None
    return Diagnostic("one_prediction", "the same prediction for every row", split="train")


def majority_share(case: DiagnosisInput) -> Diagnostic | None:
    """An accuracy that is no better than the majority class's share, up to chance."""
    if not case.classifies or case.config.training.class_weight is not None:
        return None
    found, above = [], []
    for split, outputs in case.outputs.items():
        share, accuracy = case.main(case.baseline, split), case.main(case.metrics, split)
        chance = _ERRORS * np.sqrt((share or 0) * (1 - (share or 0)) / len(outputs))
        if share is not None and accuracy is not None and share <= accuracy <= share + chance:
            found.append(split)
            if accuracy > share:
                rows = f"the {len(outputs):,} rows of {_named([split])} data"
                above.append(f"{accuracy:.2g} and {share:.2g} on {rows}")
    if not found:
        return None
    share = case.main(case.baseline, found[0]) or 0.0
    text = f"accuracy on {_named(found)} data at the majority class's share ({share:.2g})"
    if above:
        seen = "; ".join(above)
        text = f"accuracy no further above the majority class's share than chance: {seen}"
    return Diagnostic("majority_share", text, split=found[0])


def sure_and_wrong(case: DiagnosisInput) -> Diagnostic | None:
    """An accuracy better than the baseline's with a training loss worse than the baseline's."""
    loss, base = (
        (numbers.get("train") or {}).get("loss") for numbers in (case.metrics, case.baseline)
    )
    if not case.classifies or loss is None or base is None or loss <= base:
        return None
    if (case.skill("train") or 0.0) <= _LITTLE:
        return None
    text = (
        f"the training loss {loss:.3g} is worse than the class shares' {base:.3g}: where it is "
        "wrong it is sure, and its probabilities mean nothing"
    )
    return Diagnostic("sure_and_wrong", text, split="train")


def far_apart(case: DiagnosisInput) -> Diagnostic | None:
    """Held-out data that are predicted much worse than training data, beyond chance.

    Both splits' baselines are tried, and the smaller gap counts.
    """
    learned = case.skill("train")
    if learned is None or learned <= 0:
        return None
    for split in ("test", "validation"):
        if split not in case.outputs:
            continue
        skills = [case.skill(split, baseline) for baseline in (split, "train")]
        there = [skill for skill in skills if skill is not None]
        if not there:
            continue
        gap = learned - max(there)
        if gap > _GAP and gap > _ERRORS * case.uncertainty(split):
            metric = case.task.main_metric
            ours, other = case.main(case.metrics, "train"), case.main(case.metrics, split)
            text = f"training and {split} data are far apart: {metric} {ours:.3g} and {other:.3g}"
            return Diagnostic("far_apart", text, split=split)
    return None


SYMPTOMS: Sequence[Callable[[DiagnosisInput], Diagnostic | None]] = (
    worse_than_baseline,
    one_prediction,
    majority_share,
    sure_and_wrong,
    far_apart,
)


def _baseline(case: DiagnosisInput) -> str:
    return "naming the majority class" if case.classifies else "predicting the mean"


def _named(splits: Sequence[str]) -> str:
    return " and ".join({"train": "training"}.get(split, split) for split in splits)
