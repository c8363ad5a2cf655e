"""Causes of a run that learned nothing, or diverged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, log10

import numpy as np

from nnrun.nn.losses import LOSSES
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.runs.diagnosis.inputs import DiagnosisInput, Diagnostic, root_mean_square
from nnrun.runs.diagnosis.units import ConstantUnits, constant_units

# Scales that differ by less than this factor are no problem.
_FACTOR = 10.0
# The loss is still falling where it loses this share from one fifth of the run to the next.
_FALL = 0.02
# It has risen if it ends at this many times its minimum.
_RISE = 1.5
# The share of constant units from which they are a problem.
_DEAD = 0.25
# A learning rate is tiny if it is this many times below the stable one, and the loss has moved by
# no more than a small share from the first evaluation to the last.
_TINY = 1000.0
_MOVED = 0.05
# How much less a cause weighs than another one that it follows from.
_AFTER = 0.01
_LARGEST, _SMALLEST = 1e308, 1e-300


def feature_scale(case: DiagnosisInput) -> Diagnostic | None:
    """Columns whose sizes differ by orders of magnitude, or features that are all large.

    Both the largest values and the root mean squares must differ, so that a rare 1 among zeros, or
    an outlier, does not count.
    """
    x = case.examples["train"].x.reshape(len(case.examples["train"]), -1)
    sizes = root_mean_square(x)
    if case.features and sizes.any():
        reach = np.abs(x).max(axis=0).astype(np.float64)
        there = np.where(sizes > 0, reach, np.inf)
        large, small = int(reach.argmax()), int(there.argmin())
        factor = min(float(reach[large] / reach[small]), _LARGEST)
        if factor >= _FACTOR and sizes[large] >= _FACTOR * sizes[small]:
            text = (
                f"features differ in scale: {case.features[large]} reaches {reach[large]:.3g} and "
                f"{case.features[small]} {reach[small]:.3g}, a factor of {_rounded(factor)}; "
                "try dataset.features=standard"
            )
            return Diagnostic("feature_scale", text, log10(factor))
    size = case.feature_size
    if size >= _FACTOR:
        step = "standard" if case.features else "minmax"
        text = f"features reach {np.abs(x).max():.3g}; try dataset.features={step}"
        return Diagnostic("feature_scale", text, log10(size))
    return None


def target_scale(case: DiagnosisInput) -> Diagnostic | None:
    """A target whose values, as the network must output them, are far from 1."""
    if case.classifies:
        return None
    target = case.examples["train"].target
    size = float(root_mean_square(target.reshape(-1, 1))[0])
    if size < _FACTOR:
        return None
    largest = float(np.abs(target).max())
    text = f"the target is not scaled: it reaches {largest:.3g}; try dataset.target=standard"
    return Diagnostic("target_scale", text, log10(size))


def learning_rate(case: DiagnosisInput) -> Diagnostic | None:
    """A learning rate that is unstable for a linear model of these rows, or by the loss curve.

    Gradient descent on a quadratic of curvature c is stable below a rate of 2 / c. Along one row x
    with a bias, a linear model's is c = d²L/dz² (|x|² + 1). LeCun et al., Efficient BackProp, 1998.
    """
    rate = case.peak_rate
    limit = rate_limit(case)
    if limit is not None and rate > limit:
        # The excess that is left with features of size 1 is the rate's own. The rest ranks after
        # the features, and before its consequences, such as dead units.
        scale = feature_scale(case)
        badly_scaled = scale is not None
        scaled = (rate_limit(case, scaled=True) or limit) if badly_scaled else limit
        optimizer = case.config.training.optimizer.type
        much = f"{_rounded(rate / limit)} times what "
        much += f"{optimizer} usually bears" if _usual_limit(case) else "rows of this size bear"
        whether = ""
        if badly_scaled and _usual_limit(case) is None:
            whether = "with scaled features, " if rate > scaled else "without scaling, "
        suggested = _one_digit((scaled if rate > scaled else limit) / 2)
        text = (
            f"the learning rate {rate:.3g} is {much}; {whether}try "
            f"training.learning_rate={suggested}"
        )
        weight = log10(rate / limit)
        if scale is not None:
            weight = max(log10(rate / scaled), min(weight, scale.weight - _AFTER))
        return Diagnostic("learning_rate", text, weight)
    losses = [float(row["train_loss"]) for row in case.history]
    if len(losses) < 2:
        return None
    least = min(range(len(losses)), key=losses.__getitem__)
    if losses[-1] > _RISE * losses[least]:
        text = (
            f"the training loss was {losses[least]:.3g} at iteration "
            f"{case.history[least]['iteration']:,} and rose to {losses[-1]:.3g}; try "
            f"training.learning_rate={_one_digit(rate / 10)}"
        )
        times = losses[-1] / max(losses[least], _SMALLEST)
        return Diagnostic("learning_rate", text, 1.0 + log10(min(times, 1e9)))
    if limit is not None and rate < limit / _TINY and losses[-1] > (1 - _MOVED) * losses[0]:
        text = (
            f"the learning rate {rate:.3g} is tiny: the training loss went from {losses[0]:.4g} to "
            f"{losses[-1]:.4g}; try training.learning_rate={_one_digit(limit / 10)}"
        )
        return Diagnostic("learning_rate", text, log10(limit / rate) - 1.0)
    return None


def rate_limit(case: DiagnosisInput, *, scaled: bool = False) -> float | None:
    """The largest stable learning rate for the training rows, or for features of size 1."""
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
    """The learning rate, which is always a cause of divergence."""
    found = learning_rate(case)
    if found is not None:
        return found
    clip = "" if case.config.training.clip_norm else ", or training.clip_norm=1"
    text = (
        f"the learning rate {case.peak_rate:.3g} may be too large; try "
        f"training.learning_rate={_one_digit(case.peak_rate / 10)}{clip}"
    )
    return Diagnostic("learning_rate", text, 0.5)


def too_few_iterations(case: DiagnosisInput) -> Diagnostic | None:
    """A loss that was still falling at the end, or rows that were never used.

    Not if the learning rate is far too large: then the loss only recovers from the first steps. Nor
    if all units of a layer are dead, and only biases change.
    """
    if excess(case) >= _FACTOR:
        return None
    rows, seen = len(case.examples["train"]), case.iterations * case.config.training.batch_size
    if seen < rows:
        text = f"training has seen {seen:,} of {rows:,} rows; try more iterations"
        return Diagnostic("too_few_iterations", text, 1.0 + log10(rows / seen))
    losses = np.array([row["train_loss"] for row in case.history], np.float64)
    fifth = max(1, len(losses) // 5)
    if len(losses) < 2 * fifth or losses[-1] > losses.min() * (1 + _FALL):
        return None
    before, last = losses[-2 * fifth : -fifth].mean(), losses[-fifth:].mean()
    fall = 1 - last / before if before > 0 else 0.0
    if fall < _FALL:
        return None
    dead = found.share if (found := _most_dead(case)) is not None else 0.0
    if dead == 1:
        return None
    smaller = excess(case) > (1 / _TINY if dead >= _DEAD else 1)
    larger = "" if smaller else ", or a larger learning rate"
    share = "fifth" if len(losses) >= 10 else "part"
    text = (
        f"the training loss was still falling, by {100 * fall:.2g}% over the last {share} of the "
        f"run; try more iterations{larger}"
    )
    return Diagnostic("too_few_iterations", text, 1.0 + min(1.0, 10 * fall))


def dead_units(case: DiagnosisInput) -> Diagnostic | None:
    """Units with the same output for every training row, which get no gradient."""
    found = _most_dead(case)
    if found is None or found.share < _DEAD:
        return None
    zeros = case.config.network.initializer.type == "zeros"
    tiny = excess(case) < 1 / _TINY
    if zeros:
        cure = "another network.initializer than zeros, with which all units stay alike"
    elif found.activation == "relu":
        cure = "leaky_relu" if tiny else "a smaller learning rate, or leaky_relu"
    else:
        cure = "scaled features, or smaller initial weights"
        cure = cure if tiny else f"a smaller learning rate, {cure}"
    state = "are zero" if found.activation == "relu" else "give the same"
    text = (
        f"{found.constant} of {found.units} {found.activation} units of layer {found.layer} "
        f"{state} for every training row; try {cure}"
    )
    return Diagnostic("dead_units", text, (3 if zeros else 2) * found.share)


CAUSES_OF_FAILURE: Sequence[Callable[[DiagnosisInput], Diagnostic | None]] = (
    feature_scale,
    target_scale,
    learning_rate,
    too_few_iterations,
    dead_units,
)
CAUSES_OF_DIVERGENCE: Sequence[Callable[[DiagnosisInput], Diagnostic | None]] = (
    feature_scale,
    target_scale,
    any_learning_rate,
)


def _most_dead(case: DiagnosisInput) -> ConstantUnits | None:
    """The hidden activation with the largest share of constant units."""
    return max(constant_units(case.network, case.examples["train"].x), default=None)


def _usual_limit(case: DiagnosisInput) -> float | None:
    """The learning rate that the optimizer usually bears; None where that depends on the rows."""
    return OPTIMIZERS[case.config.training.optimizer.type].usual_limit


def _rounded(factor: float) -> str:
    return f"{factor:,.0f}" if 1e2 <= factor < 1e6 else f"{factor:.2g}"


def _one_digit(value: float) -> str:
    """The number, rounded down to one digit."""
    power = 10.0 ** floor(log10(value))
    return f"{floor(value / power + 1e-9) * power:.1g}"
