"""Lessons 2 and 5: what a hidden layer and what a convolution are for."""

from __future__ import annotations

from math import prod
from typing import Any

from nnrun.course.attempt import Attempt, changed
from nnrun.course.exercises.structure import accurate, at_most, bends, types
from nnrun.course.grading import Criterion, Exercise, Verdict

_MOST = 450  # parameters
_AHEAD = 0.8  # of the seeds


def _convolves(attempt: Attempt) -> Verdict:
    count = types(attempt.config).count("conv2d")
    return count > 0, f"it has {count} conv2d layer{'s' * (count != 1)}"


def _beats_dense(attempt: Attempt) -> Verdict:
    """It is more accurate than a dense network that may have as many parameters."""
    network = attempt.prepared.network
    if network.size > _MOST:
        return False, f"it may have {_MOST} parameters, and is not compared"
    inputs, outputs = prod(network.input_shape), prod(network.output_shape)
    units = (_MOST - outputs) // (inputs + 1 + outputs)
    layers: list[dict[str, Any]] = [
        {"type": "flatten"},
        {"type": "dense", "units": units, "activation": "relu"},
        {"type": "dense", "units": outputs, "activation": "softmax"},
    ]
    dense = attempt.trained(changed(attempt.start, {"network": {"layers": layers}}))
    ours, theirs = (runs.values("test", "accuracy") for runs in (attempt.runs, dense))
    ahead = int((ours > theirs).sum())
    says = (
        f"its mean test accuracy is {ours.mean():.3f}, that of a dense network with {units} hidden "
        f"units {theirs.mean():.3f}; it is ahead with {ahead} of {len(attempt.seeds)} seeds"
    )
    return ahead >= _AHEAD * len(attempt.seeds), says


HIDDEN_LAYER = Exercise(
    ("network",),
    (
        Criterion("not linear", bends, "Give the hidden layer another activation than linear."),
        Criterion("small", at_most(30), "A few lines are enough to go around a circle."),
        Criterion(
            "accurate",
            accurate(0.9),
            "Each hidden unit is one line; take as many as 30 parameters allow.",
        ),
    ),
)
CONVOLUTION = Exercise(
    ("network",),
    (
        Criterion("convolution", _convolves, "Put a conv2d before the flatten."),
        Criterion(
            "small",
            at_most(_MOST),
            "Take fewer channels, or pool before the flatten: the dense layer has a weight for "
            "each number that comes in and each class.",
        ),
        Criterion(
            "better than dense",
            _beats_dense,
            "A small kernel looks for the same strokes everywhere; one as large as the image is a "
            "dense layer.",
        ),
    ),
)
