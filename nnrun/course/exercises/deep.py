"""Lessons 3 and 7: what deep networks need in order to learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.config.load import config_to_dict
from nnrun.course.attempt import Attempt, changed, seeded
from nnrun.course.exercises.structure import accurate, bends_everywhere, same_widths, types
from nnrun.course.grading import Check, Criterion, Exercise, Verdict
from nnrun.nn import Activation
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis.inputs import in_words

_ROWS = 256
_MOST_CHANGE = 3.0
_ACCURACY = 0.8


def _dense_alone(attempt: Attempt) -> Verdict:
    """There are dense layers and no others, as many as before and as wide."""
    others = {*types(attempt.config)} - {"dense"}
    if others:
        return False, f"it has {' and '.join(sorted(others))} beside its dense layers"
    return same_widths(attempt)


def _growth(attempt: Attempt, seed: int) -> tuple[float, float]:
    """How much larger values, and gradients, become on their way through the hidden layers.

    Before training, as ratios of root mean squares behind the activations.
    """
    prepared = seeded(attempt.experiment, seed)
    network, rows = prepared.network, prepared.examples["train"]
    x, target = rows.x[:_ROWS], rows.target[:_ROWS]
    network.initialize(rng=prepared.streams.weights)
    layers, values, gradients = network.active_layers, list[float](), list[float]()
    for layer in layers:
        x = layer.forward(x, prepared.streams.dropout)
        values.append(_size(x))
    dy = network.loss.gradient(x, target)
    for layer in reversed(layers):
        gradients.insert(0, _size(dy))
        dy = layer.backward(dy)
    hidden = [index for index, layer in enumerate(layers) if isinstance(layer, Activation)]
    first, last = (hidden[0], hidden[-1]) if hidden else (0, -1)  # where all is linear
    return _ratio(values[last], values[first]), _ratio(gradients[first], gradients[last])


def _size(x: Array) -> float:
    return float(np.sqrt(np.mean(x**2)))


def _ratio(after: float, before: float) -> float:
    return after / before if before else 0.0  # nothing arrives where all weights are zero


def _keeps(what: str, which: int) -> Check:
    """They keep their size on the way, in the geometric mean over seeds."""

    def check(attempt: Attempt) -> Verdict:
        factors = [_growth(attempt, seed)[which] for seed in attempt.seeds]
        factor = float(np.prod(factors)) ** (1 / len(factors))
        grown = f"{what} become {in_words(factor, '.2g')} times as large through the layers"
        says = f"{grown}; 1/3 to 3 is needed"
        return 1 / _MOST_CHANGE <= factor <= _MOST_CHANGE, says

    return check


def _at_scale(factor: float) -> Check:
    """It learns with initial weights this many times as large."""

    def check(attempt: Attempt) -> Verdict:
        layers = config_to_dict(attempt.config)["network"]["layers"]
        scaled = changed(attempt.experiment, {"network.layers": _scaled(layers, factor)})
        found = attempt.trained(scaled).mean("test", "accuracy")
        return found >= _ACCURACY, f"its mean test accuracy is {found:.3f}; 0.8 is needed"

    return check


def _scaled(layers: Any, factor: float) -> Any:
    """The layers, with every scale of initial weights multiplied."""
    if isinstance(layers, list):
        return [_scaled(each, factor) for each in layers]
    if not isinstance(layers, dict):
        return layers
    return {
        key: each * factor if key == "scale" else _scaled(each, factor)
        for key, each in layers.items()
    }


def _normalizes(attempt: Attempt) -> Verdict:
    """There is a batch_norm between dense layers."""
    kinds = types(attempt.config)
    hidden = kinds[kinds.index("dense") : len(kinds) - kinds[::-1].index("dense")]
    count = hidden.count("batch_norm")
    return count > 0, f"it has {count} batch_norm between its dense layers"


_BENT = "Give every hidden layer an activation: lesson 2 says what happens without."
_SPREAD = "With n inputs take weights of variance 2/n before relu, and 1/n before tanh."
_NORMALIZED = (
    "Put batch_norm between the matrix and the activation of every hidden layer, and take batches "
    "of more rows: the mean of three says little."
)

INITIALIZATION = Exercise(
    ("network",),
    (
        Criterion("layers", _dense_alone, "Change initializer or activations alone."),
        Criterion("nonlinear", bends_everywhere, _BENT),
        Criterion("forward", _keeps("values", 0), _SPREAD),
        Criterion("backward", _keeps("gradients", 1), _SPREAD),
        Criterion("learns", accurate(_ACCURACY), _SPREAD),
    ),
)
NORMALIZATION = Exercise(
    ("network", "training.batch_size"),
    (
        Criterion("layers", same_widths, "Leave the dense layers as they are."),
        Criterion("nonlinear", bends_everywhere, _BENT),
        Criterion("batch_norm", _normalizes, _NORMALIZED),
        *(
            Criterion(f"weights × {factor:g}", _at_scale(factor), _NORMALIZED)
            for factor in (0.3, 1.0, 3.0)
        ),
    ),
)
