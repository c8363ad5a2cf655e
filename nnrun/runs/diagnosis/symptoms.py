"""Symptoms: what is useless, overfitted or too short about a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log10

import numpy as np

from nnrun.config.names import naive_words
from nnrun.config.yaml_scalars import flow
from nnrun.runs.diagnosis.inputs import (
    ERRORS,
    FACTOR,
    DiagnosisInput,
    Diagnostic,
    named,
    outliers,
)
from nnrun.runs.diagnosis.training import (
    DEAD,
    TINY,
    excess,
    most_dead,
    tiny_rate,
    unequal_classes,
    unstable_rate,
)

# Iterations that are too few.

# The loss is still falling where it loses this share from one fifth of the run to the next, and
# held-out rows share so much of the fall.
_FALL, _SHARED = 0.02, 0.5
# A run is unfinished if the loss fell by more than this share of the baseline's, and is still above
# that one. With fewer evaluations a fifth of them has no scatter to compare a fall with.
_FALL_OF_BASELINE, _LEFT, _EVALUATIONS = 0.05, 0.5, 10


def unfinished(case: DiagnosisInput) -> Diagnostic | None:
    """Too few iterations of a run whose loss is between that of the baseline and half of it."""
    base = case.number(case.baseline, "train", "loss")
    if not base or not case.losses or not _LEFT * base < case.losses[-1] <= base:
        return None
    before, last = _fifths(case.losses)
    falls = len(case.losses) >= _EVALUATIONS and before - last > _FALL_OF_BASELINE * base
    if _unseen(case) is None and not falls:
        return None
    return too_few_iterations(case)


def too_few_iterations(case: DiagnosisInput) -> Diagnostic | None:
    """A loss that was still falling at the end, or rows that were never used.

    Not if the learning rate is far too large: then the loss only recovers from the first steps. Nor
    if all units of a layer are dead: then only biases change.
    """
    if excess(case) >= FACTOR:
        return None
    if (unseen := _unseen(case)) is not None:
        return unseen
    fall, dead = _fall(case), most_dead(case)
    if fall is None or (dead is not None and dead.share == 1):
        return None
    stopping = case.config.training.early_stopping
    if case.stopped_early and stopping is not None and stopping.monitor == "validation_loss":
        return None  # held-out rows have shown that more would not help
    more = "a larger training.early_stopping.patience" if case.stopped_early else "more iterations"
    has_dead = dead is not None and dead.share >= DEAD
    larger = "" if excess(case) > (1 / TINY if has_dead else 1) else ", or a larger learning rate"
    share = "fifth" if len(case.losses) >= _EVALUATIONS else "part"
    text = (
        f"the training loss was still falling, by {100 * fall:.2g}% over the last {share} of the "
        f"run; try {more}{larger}"
    )
    return Diagnostic("too_few_iterations", text, 1.0 + min(1.0, 10 * fall))


def _fall(case: DiagnosisInput) -> float | None:
    """Share of the training loss lost over the last fifth; None if that was little or chance.

    Nor does a fall count that held-out rows do not share.
    """
    losses, (before, last) = case.losses, _fifths(case.losses)
    if not losses or losses[-1] > min(losses) * (1 + _FALL):
        return None
    fall = 1 - last / before if before > 0 else 0.0
    if fall < _FALL or before - last <= _noise(losses) or not _is_shared(case):
        return None
    return fall


def _unseen(case: DiagnosisInput) -> Diagnostic | None:
    rows, seen = len(case.examples["train"]), case.iterations * case.config.training.batch_size
    if seen >= rows:
        return None
    text = f"training has seen {seen:,} of {rows:,} rows; try more iterations"
    return Diagnostic("too_few_iterations", text, 1.0 + log10(rows / seen))


def _is_shared(case: DiagnosisInput) -> bool:
    """Whether the loss of held-out rows, if there are any, falls with the training loss."""
    split = next((name for name in ("validation", "test") if name in case.outputs), "train")
    before, last = _fifths(case.losses)
    first, second = _fifths([float(row[f"{split}_loss"]) for row in case.history])
    return first - second >= _SHARED * (before - last)


def _noise(losses: Sequence[float]) -> float:
    """The difference of the last two fifths that chance explains, by the scatter within them."""
    fifth = max(1, len(losses) // 5)
    scatter = np.var(losses[-2 * fifth : -fifth]) + np.var(losses[-fifth:])
    return ERRORS * float(np.sqrt(scatter / fifth))


def _fifths(losses: Sequence[float]) -> tuple[float, float]:
    """The mean loss of the last two fifths of evaluations; zeros for fewer than two."""
    fifth = max(1, len(losses) // 5)
    if len(losses) < 2:
        return 0.0, 0.0
    return sum(losses[-2 * fifth : -fifth]) / fifth, sum(losses[-fifth:]) / fifth


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
    text += _what_to_do(case) * (worse != ["train"])
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


def worse_than_naive(case: DiagnosisInput) -> Diagnostic | None:
    """Held-out rows in the order of time that are predicted worse than by an earlier value."""
    metric = case.task.main_metric
    worse = {
        split: min(worse)
        for split in ("validation", "test")
        if (ours := case.number(case.metrics, split, metric)) is not None
        and (
            worse := [
                (value, steps)
                for steps, naive in case.naive.items()
                if (value := case.number(naive, split, metric)) is not None and value < ours
            ]
        )
    }
    if not worse:
        return None
    split, (value, steps) = next(iter(worse.items()))
    before = "the value before" if steps == "1" else f"the value {naive_words(steps)}"
    text = f"worse than always predicting {before}, on {named([*worse])} data"
    numbers = f"{metric} {case.number(case.metrics, split, metric):.4g} and {value:.4g} on {split}"
    return Diagnostic("worse_than_naive", f"{text}; {numbers} data{_what_to_do(case)}")


def negative_r2(case: DiagnosisInput) -> Diagnostic | None:
    """Held-out rows for which their own mean would be better, if that of training rows is not."""
    below = {
        split: r2
        for split in ("validation", "test")
        if (r2 := case.number(case.metrics, split, "r2") or 0.0) < 0 and not _is_worse(case, split)
    }
    if not below:
        return None
    numbers = " and ".join(f"{r2:.3g}" for r2 in below.values())
    text = f"R² is {numbers}: worse than always predicting the mean of these rows"
    return Diagnostic("negative_r2", f"{text}, on {named([*below])} data{_what_to_do(case)}")


def _what_to_do(case: DiagnosisInput) -> str:
    """What may help where rows are split by time; empty where they are not."""
    dataset = case.config.dataset
    if dataset.split.by != "time" or dataset.columns is None:
        return ""
    other = "if new rows are not later ones, dataset.split=random"
    if dataset.lags:
        return f"; other lags may help, or, {other} dataset.lags=null"
    lags = flow({dataset.columns.target: [*map(int, case.naive)]})
    return f"; earlier values as features may help, 'dataset.lags={lags}', or, {other}"


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
    """Skill on training data less that on the split, where anything is learned."""
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
    worse_than_naive,
    negative_r2,
    one_prediction,
    majority_share,
    hardly_better,
    hardly_moved,
    sure_and_wrong,
    far_apart,
    tiny_rate,
    unfinished,
)
# Those that are left where accuracy does not show what is learned.
BEYOND_ACCURACY = SYMPTOMS[5:]


# Causes of overfitting.

# The best loss on held-out data must be below this share of the last one.
_BETTER = 0.9


def trained_past_the_best(case: DiagnosisInput) -> Diagnostic | None:
    """A held-out loss that was lower at an evaluation than with the weights that are kept.

    Metrics of several networks are those of their mean, the history is that of the first one.
    """
    several = case.config.networks > 1
    for split in ("validation", "test"):
        rows = [row for row in case.history if f"{split}_loss" in row]
        kept = _first_kept(case, split) if several else case.number(case.metrics, split, "loss")
        if len(rows) < 2 or kept is None:
            continue
        best = min(rows, key=lambda row: row[f"{split}_loss"])
        least = float(best[f"{split}_loss"])
        if least > _BETTER * kept:
            continue
        text = (
            f"the {split} loss {'of the first network ' * several}was {least:.3g} at iteration "
            f"{best['iteration']:,} and {kept:.3g} at the end; try {_stopping(case)}"
        )
        return Diagnostic("trained_past_the_best", text, kept / max(least, 1e-300))
    return None


def _first_kept(case: DiagnosisInput, split: str) -> float | None:
    """The loss of a split at the evaluation whose weights the first network ends with."""
    rows = (row for row in case.history if row["iteration"] == case.kept_iteration)
    row = next(rows, case.history[-1] if case.history else {})
    return row.get(f"{split}_loss")


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
