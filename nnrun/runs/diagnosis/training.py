"""Causes in the training: the learning rate, units, layers inside, the order of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, log10

import numpy as np

from nnrun.metrics.compute import roc_auc
from nnrun.metrics.table import are_unequal
from nnrun.models.task import Classification
from nnrun.nn import ACTIVATIONS
from nnrun.nn.activations.base import Activation
from nnrun.nn.losses import LOSSES
from nnrun.nn.network import Network, chunk_rows
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.sequential import dotted
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis.inputs import (
    ERRORS,
    DiagnosisInput,
    Diagnostic,
    feature_scale,
    in_words,
    named,
    rounded,
)
from nnrun.runs.diagnosis.watched import (
    FAINT,
    LARGE_UPDATE,
    SATURATED,
    constant_since,
    exploding_gradients,
    faint_gradients,
    large_update,
    saturated_layer,
)

# The loss has risen if it ends at this many times its minimum.
_RISE = 1.5
# A learning rate is tiny if it is this many times below the stable one, and the loss has moved by
# no more than a small share of the way to 0, a good part of that in the second half of the run: it
# has not levelled off.
TINY = 1000.0
_MOVED, _STEADY = 0.05, 0.25
# The loss is large if it is above this share of the baseline's.
_LARGE = 0.5
# A rate this many times a limit is too large; a smaller factor would be printed as 1.
_ABOVE = 1.05
# How much less a cause weighs than another one that it follows from.
_AFTER = 0.01
_SMALLEST = 1e-300


def learning_rate(case: DiagnosisInput) -> Diagnostic | None:
    """A learning rate that is unstable for these rows, or too large or tiny by the loss curve."""
    unstable = None if _moves_little(case) else unstable_rate(case)
    return unstable or _risen(case) or tiny_rate(case)


def _moves_little(case: DiagnosisInput) -> bool:
    """Whether the run was watched, and no update that was seen was large."""
    return case.watched is not None and large_update(case.watched, lasting=False) is None


def unstable_rate(case: DiagnosisInput) -> Diagnostic | None:
    """A rate above what rows of this size, or the optimizer, bear."""
    rate, limit = case.peak_rate, rate_limit(case)
    if limit is None or rate < _ABOVE * limit:
        return None
    # The excess that remains with features of size 1 is due to the rate. The rest ranks after the
    # features, and before its consequences, such as dead units.
    scale = feature_scale(case)
    scaled = limit if scale is None else (rate_limit(case, scaled=True) or limit)
    whether = ""
    if scale is not None and _usual_limit(case) is None:
        whether = "with scaled features, " if rate > scaled else "without scaling, "
    suggested = one_digit((scaled if rate > scaled else limit) / 2)
    text = (
        f"the learning rate {rate:.3g} is {rounded(rate / limit)} times what {_bearer(case)}; "
        f"{whether}try training.learning_rate={suggested}"
    )
    weight = log10(rate / limit)
    if scale is not None:
        weight = max(log10(rate / scaled), min(weight, scale.weight - _AFTER))
    return Diagnostic("learning_rate", text, weight)


def _risen(case: DiagnosisInput) -> Diagnostic | None:
    losses = case.losses
    least = min(range(len(losses)), key=losses.__getitem__, default=0)
    if len(losses) < 2 or losses[-1] <= _RISE * losses[least]:
        return None
    text = (
        f"the training loss was {losses[least]:.3g} at iteration "
        f"{case.history[least]['iteration']:,} and rose to {losses[-1]:.3g}; try "
        f"training.learning_rate={one_digit(case.peak_rate / 10)}"
    )
    times = losses[-1] / max(losses[least], _SMALLEST)
    return Diagnostic("learning_rate", text, 1.0 + log10(min(times, 1e9)))


def tiny_rate(case: DiagnosisInput) -> Diagnostic | None:
    """A rate far below the largest stable one, with a loss that is large and still falling."""
    losses, rate = case.losses, case.peak_rate
    if len(losses) < 2 or case.moved >= _MOVED:
        return None
    limit = rate_limit(case)
    if limit is None or rate >= limit / TINY:
        return None
    base = case.number(case.baseline, "train", "loss") or 0.0
    late = losses[len(losses) // 2] - losses[-1]
    if losses[-1] <= _LARGE * base or late < _STEADY * (losses[0] - losses[-1]):
        return None
    text = (
        f"the learning rate {rate:.3g} is tiny, {rounded(limit / rate)} times below what "
        f"{_bearer(case)}: the training loss went from {losses[0]:.4g} to {losses[-1]:.4g}; try "
        f"training.learning_rate={one_digit(limit / 10)}"
    )
    return Diagnostic("learning_rate", text, log10(limit / rate) - 1.0)


def rate_limit(case: DiagnosisInput, *, scaled: bool = False) -> float | None:
    """The largest stable learning rate for the training rows, or for features of size 1.

    Gradient descent on a quadratic of curvature c is stable below a rate of 2 / c. Along one row x
    with a bias, a linear model's is c = d²L/dz² (|x|² + 1). LeCun et al., Efficient BackProp, 1998.
    """
    optimizer = case.config.training.optimizer
    if (usual := _usual_limit(case)) is not None:
        return usual
    curvature = LOSSES[case.config.loss.type].curvature(case.network.output_shape[0])
    if curvature is None:
        return None
    features = float(case.examples["train"].x[0].size)
    if not scaled:
        # With larger features no useful rate is small enough.
        features *= min(case.feature_size, 1e140) ** 2
    # A velocity adds up to 1 / (1 - μ) gradients.
    return float(2 / (curvature * (features + 1)) * (1 - getattr(optimizer, "momentum", 0.0)))


def excess(case: DiagnosisInput) -> float:
    """The run's learning rate over the largest stable one; 1 if that is unknown."""
    limit = rate_limit(case)
    return 1.0 if limit is None else case.peak_rate / limit


def any_learning_rate(case: DiagnosisInput) -> Diagnostic:
    """The learning rate, which is always a cause of divergence, with the largest update that was
    recorded.
    """
    found = unstable_rate(case) or learning_rate(case) or _unknown_rate(case)
    seen = large_update(case.watched, lasting=False)
    if seen is None:
        return found
    text = f"an update moved {seen.where} by {in_words(seen.value, '.3g')} times its size"
    return replace(found, message=f"{found.message}; {text}, at iteration {seen.iteration:,}")


def _unknown_rate(case: DiagnosisInput) -> Diagnostic:
    clip = "" if case.config.training.clip_norm else ", or training.clip_norm=1"
    text = (
        f"the learning rate {case.peak_rate:.3g} may be too large; try "
        f"training.learning_rate={one_digit(case.peak_rate / 10)}{clip}"
    )
    return Diagnostic("learning_rate", text, 0.5)


def _bearer(case: DiagnosisInput) -> str:
    """What the limit is a property of."""
    if _usual_limit(case) is None:
        return "rows of this size bear"
    return f"{case.config.training.optimizer.type} usually bears"


def _usual_limit(case: DiagnosisInput) -> float | None:
    """The learning rate that the optimizer usually bears; None where that depends on the rows."""
    return OPTIMIZERS[case.config.training.optimizer.type].usual_limit


def one_digit(value: float) -> str:
    """The number, rounded down to one digit."""
    power = 10.0 ** floor(log10(value))
    return f"{floor(value / power + 1e-9) * power:.1g}"


# Causes that are seen inside the network of a watched run.

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


# Units with the same output for every row: dead rectifiers, saturated sigmoids.

# Outputs are the same if they differ by no more; saturating activations are within [-1, 1].
_SAME = 1e-9

# The share of constant units from which they are a problem.
DEAD = 0.25


@dataclass(frozen=True, order=True)
class ConstantUnits:
    """The constant units of a hidden activation, ordered by their share.

    The units of an image are its channels.
    """

    share: float
    layer: str
    activation: str
    constant: int
    units: int


def dead_units(case: DiagnosisInput) -> Diagnostic | None:
    """Units with the same output for every training row, which get no gradient."""
    found = most_dead(case)
    if found is None or found.share < DEAD:
        return None
    zeros = case.config.network.initializer.type == "zeros"
    seen = constant_since(case.watched, found.layer, DEAD)
    # What was so before the first update is not caused by the rate.
    blameless = excess(case) < 1 / TINY or (seen is not None and seen.from_start)
    if zeros:
        cure = "another network.initializer than zeros, with which all units stay alike"
    elif found.activation == "relu":
        cure = "leaky_relu" if blameless else "a smaller learning rate, or leaky_relu"
    else:
        cure = "scaled features, or smaller initial weights"
        cure = cure if blameless else f"a smaller learning rate, {cure}"
    part = f" {DEAD:.0%} of the layer or more" if seen is not None and seen.grew else ""
    since = "" if seen is None else f",{part} since iteration {seen.iteration:,}"
    state = "are zero" if found.activation == "relu" else "give the same"
    text = (
        f"{found.constant} of {found.units} {found.activation} units of layer {found.layer} "
        f"{state} for every training row{since}; try {cure}"
    )
    return Diagnostic("dead_units", text, (3 if zeros else 2) * found.share)


def most_dead(case: DiagnosisInput) -> ConstantUnits | None:
    """The hidden activation with the largest share of constant units."""
    return max(constant_units(case.network, case.examples["train"].x), default=None)


def constant_units(network: Network, x: Array) -> list[ConstantUnits]:
    """The constant units over rows x of each hidden activation except `linear`."""
    last = network.blocks[-1]
    hidden = [
        (dotted(place), layer)
        for place, layer in network.named_layers()
        if isinstance(layer, Activation) and not layer.identity and layer not in last
    ]
    if not hidden:
        return []
    low = [np.full(_units(layer), np.inf) for _, layer in hidden]
    high = [np.full(_units(layer), -np.inf) for _, layer in hidden]
    step = chunk_rows(network)
    with np.errstate(all="ignore"):
        for start in range(0, len(x), step):
            network.predict(x[start : start + step])
            for k, (_, layer) in enumerate(hidden):
                over = tuple(axis for axis in range(layer.y.ndim) if axis != 1)
                np.minimum(low[k], layer.y.min(axis=over), out=low[k])
                np.maximum(high[k], layer.y.max(axis=over), out=high[k])
    found = []
    for (place, layer), lowest, highest in zip(hidden, low, high, strict=True):
        constant = int(np.count_nonzero(highest - lowest <= _SAME))
        found.append(
            ConstantUnits(constant / len(lowest), place, layer.type, constant, len(lowest))
        )
    return found


def _units(layer: Activation) -> int:
    return layer.output_shape[0]


# What a network has learned that its accuracy does not show.


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
    """Advice for unequal classes: weights, or with two classes a threshold."""
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
