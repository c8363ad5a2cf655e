"""Symptoms of a useless result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nnrun.runs.diagnosis.columns import one_column
from nnrun.runs.diagnosis.inputs import ERRORS, DiagnosisInput, Diagnostic, named
from nnrun.runs.diagnosis.iterations import unfinished
from nnrun.runs.diagnosis.learning_rate import tiny_rate

# Predictions are the same if they differ by less than this share of the target's spread.
_SAME = 1e-6
# Training and held-out data are far apart if the skill differs by this much. Over twenty seeds of
# each shipped config it differs by at most 0.25, on 102 test rows.
_GAP = 0.3
# Likewise by the log loss, where a single sure error can cost as much as ten rows.
_GAP_OF_LOSS = 0.5
# A skill below this is negligible.
_LITTLE = 0.1
# The share of a target's variance that is hardly anything.
_HARDLY = 0.05
# The training loss has hardly moved if it has gone by no more than this share of the way to 0.
_MOVED = 0.01


def worse_than_baseline(case: DiagnosisInput) -> Diagnostic | None:
    """Splits that are predicted worse than by a model that ignores the features.

    Of classes, beyond chance.
    """
    worse = [split for split in case.outputs if _is_worse(case, split)]
    if not worse:
        return None
    text = f"worse than always predicting the mean, on {named(worse)} data"
    if case.by_accuracy:
        text = f"worse than always naming the majority class, on {named(worse)} data"
    elif case.classifies:
        ours, base = case.beside(worse[0], "loss")
        text = f"the loss on {named(worse[:1])} data, {ours:.3g}, is worse than the class shares'"
        text += f" {base:.3g}"
    return Diagnostic("worse_than_baseline", text, split=worse[0])


def _is_worse(case: DiagnosisInput, split: str) -> bool:
    if case.by_accuracy:
        return case.below_share(split)
    skill = case.skill(split) or 0.0
    return skill < (-ERRORS * case.uncertainty(split) if case.classifies and skill < 0 else -1e-12)


def one_prediction(case: DiagnosisInput) -> Diagnostic | None:
    """The same prediction for all training rows."""
    outputs = case.outputs["train"]
    # By a threshold, the same class may follow from some outputs and not from others.
    decoded = outputs if case.config.decide is not None else case.task.decode(outputs)
    predicted = np.asarray(decoded, np.float64)
    spread = 0.0 if case.classifies else float(np.std(case.examples["train"].y))
    if len(predicted) < 2 or (np.ptp(predicted, axis=0) > _SAME * spread).any():
        return None
    return Diagnostic("one_prediction", "the same prediction for every row", split="train")


def majority_share(case: DiagnosisInput) -> Diagnostic | None:
    """An accuracy that differs from the majority class's share by no more than chance.

    Of training rows, or of the split that judges.
    """
    if not case.by_accuracy:
        return None
    found = [split for split in case.outputs if case.at_share(split)]
    if not {"train", case.judge} & set(found):
        return None
    share = case.beside(found[0])[1] or 0.0
    text = f"accuracy on {named(found)} data at the majority class's share ({share:.2g})"
    seen = [
        f"{accuracy:.2g} and {least:.2g} on the {len(case.outputs[split]):,} rows of "
        f"{named([split])} data"
        for split, (accuracy, least) in zip(found, map(case.beside, found), strict=True)
        if accuracy != least
    ]
    if seen:
        text = f"accuracy no further from the majority class's share than chance: {'; '.join(seen)}"
    return Diagnostic("majority_share", text, split=found[0])


def hardly_better(case: DiagnosisInput) -> Diagnostic | None:
    """Training values that are predicted hardly better than by their mean."""
    skill = None if case.classifies else case.skill("train")
    if skill is None or not 0 <= skill < _HARDLY:
        return None
    ours, base = case.beside("train")
    text = (
        f"hardly better than predicting the mean: mse {ours:.4g} on training data, and "
        f"{base:.4g} by the mean"
    )
    return Diagnostic("hardly_better", text, split="train")


def hardly_moved(case: DiagnosisInput) -> Diagnostic | None:
    """A training loss that stayed where it began, no better than the baseline's."""
    losses, base = case.losses, case.number(case.baseline, "train", "loss")
    if len(losses) < 2 or base is None or losses[-1] < base or case.moved > _MOVED:
        return None
    if tiny_rate(case) is not None:  # which says as much
        return None
    text = (
        f"the training loss hardly moved: {losses[0]:.4g} at iteration "
        f"{case.history[0]['iteration']:,} and {losses[-1]:.4g} at the end, where "
        f"{'the class shares' if case.classifies else 'the mean'} give {base:.4g}"
    )
    return Diagnostic("hardly_moved", text, split="train")


def sure_and_wrong(case: DiagnosisInput) -> Diagnostic | None:
    """An accuracy better than the baseline's with a training loss worse than the baseline's."""
    loss, base = case.beside("train", "loss")
    if not case.classifies or loss is None or base is None or loss <= base:
        return None
    if (case.skill("train") or 0.0) <= _LITTLE or case.moved <= _MOVED:
        return None
    text = (
        f"the training loss {loss:.3g} is worse than the class shares' {base:.3g}: the "
        "probabilities say less than those shares"
    )
    return Diagnostic("sure_and_wrong", text, split="train")


def far_apart(case: DiagnosisInput) -> Diagnostic | None:
    """Held-out data that are predicted much worse than training data, beyond chance.

    By the main metric, or of classes by the log loss, which shows that an accuracy is memorised.
    Both splits' baselines are tried, and the smaller gap counts.
    """
    split, ways = case.judge, [("", _GAP)] + [("log_loss", _GAP_OF_LOSS)] * case.classifies
    for metric, most in ways:
        gap = None if split == "train" else _gap(case, split, metric)
        if gap is not None and gap > most and gap > ERRORS * case.uncertainty(split, metric):
            return Diagnostic("far_apart", _apart(case, split, metric), split=split)
    return None


def _gap(case: DiagnosisInput, split: str, metric: str) -> float | None:
    """By how much the skill is larger on training data, where anything is learned."""
    learned = case.skill("train", metric=metric)
    skills = [case.skill(split, baseline, metric) for baseline in (split, "train")]
    there = [skill for skill in skills if skill is not None]
    return learned - max(there) if there and learned is not None and learned > 0 else None


def _apart(case: DiagnosisInput, split: str, metric: str) -> str:
    name = metric or case.judged_by
    ours, other = (case.number(case.metrics, part, name) for part in ("train", split))
    base = case.number(case.baseline, split, name)
    shares = f", where the class shares give {base:.3g}" if name.endswith("loss") else ""
    return f"training and {split} data are far apart: {name} {ours:.3g} and {other:.3g}{shares}"


SYMPTOMS: Sequence[Callable[[DiagnosisInput], Diagnostic | None]] = (
    worse_than_baseline,
    one_prediction,
    majority_share,
    hardly_better,
    hardly_moved,
    sure_and_wrong,
    far_apart,
    tiny_rate,
    unfinished,
    one_column,
)
# Those that are left where accuracy does not show what is learned.
BEYOND_ACCURACY = SYMPTOMS[3:]
