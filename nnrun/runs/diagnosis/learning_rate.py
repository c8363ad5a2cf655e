"""A learning rate that is the cause: too large, or tiny."""

from __future__ import annotations

from dataclasses import replace
from math import floor, log10

from nnrun.nn.losses import LOSSES
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.runs.diagnosis.inputs import DiagnosisInput, Diagnostic, in_words, rounded
from nnrun.runs.diagnosis.scales import feature_scale
from nnrun.runs.diagnosis.watched import large_update

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
