"""Comparison with the part of nnrun that has the same name."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from inspect import signature
from typing import Any

import numpy as np

from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES
from nnrun.nn.signature import Array, Shape, ShapeError
from nnrun.plugins.checker import samples
from nnrun.plugins.checker.findings import Failed, Finding, differing, first_difference, number
from nnrun.plugins.checker.subject import Subject
from nnrun.plugins.checker.trial import Trial
from nnrun.plugins.part import Part
from nnrun.tables import Table

_TABLES: dict[str, Table[Any]] = {"layer": LAYERS, "activation": ACTIVATIONS, "loss": LOSSES}
_PREFIX = "my_"


def reference_of(part: Part) -> tuple[str, Any] | None:
    """The name and the entry of nnrun's own part with this name, or with it after `my_`."""
    table = _TABLES[part.kind]
    name = part.name.removeprefix(_PREFIX)
    return (name, table[name]) if name in table.own else None


def compare_layer(trial: Trial, shapes: list[Shape]) -> Iterator[Finding]:
    """y and its gradient beside those of the layer with the same name, with the same weights."""
    found = reference_of(trial.part)
    if found is None:
        return
    name, entry = found
    shared = {
        key: value for key, value in trial.defaults.items() if key in signature(entry).parameters
    }
    arguments = {**shared, **trial.arguments}
    for shape in shapes:
        try:
            right = Subject(lambda: entry(**deepcopy(arguments)), shape)
        except (Failed, ShapeError):  # it has other arguments, or takes other shapes
            continue
        yield _beside(name, trial.subject(shape), right, samples.rows(shape))
        return


def _beside(name: str, ours: Subject, right: Subject, x: Array) -> Finding:
    check = f"beside {name}"
    if [p.shape for p in ours.parameters.values()] != [p.shape for p in right.parameters.values()]:
        return Finding(check, True, "its parameters have other shapes, so y is not compared")
    right.network.theta[...] = ours.network.theta
    y, expected = np.array(ours.forward(x)), np.array(right.forward(x))
    if y.shape != expected.shape:
        return Finding(check, False, f"its shape is {y.shape}, and that of {name} {expected.shape}")
    wrong = differing(y, expected)
    if not wrong.any():
        return Finding(check, True, f"y is that of nnrun's {name}")
    detail = first_difference("y", y, expected, wrong, f"nnrun's {name}")
    return Finding(check, False, _why(y, expected) or f"y is not that of {name}", detail)


def _why(y: Array, expected: Array) -> str:
    if not differing(y, -expected).any():
        return "y has the opposite sign"
    ratio = float(np.vdot(y, expected) / np.vdot(expected, expected))
    if not differing(y, ratio * expected, 1e-5).any():
        return f"y is {number(ratio)} times the right one"
    away = y - expected
    if not differing(away, np.broadcast_to(away[:1], away.shape), 1e-5).any():
        return "all rows are off by the same numbers, as where a bias is left out or added twice"
    return ""


def compare_loss(part: Part, loss: Any) -> Iterator[Finding]:
    """The values of two batches beside those of the loss with the same name."""
    found = reference_of(part)
    if found is None:
        return
    name, entry = found
    right = entry(**samples.arguments(entry))
    batches = [samples.predictions(right.needs, seed=seed) for seed in (2, 5)]
    ours, expected = (np.array([one.value(*batch) for batch in batches]) for one in (loss, right))
    if not differing(ours, expected).any():
        yield Finding(f"beside {name}", True, f"the value is that of nnrun's {name}")
        return
    ratio = ours / expected
    multiple = f"it is {number(float(ratio[0]))} times the right one"
    says = f"it is not that of {name}" if differing(ratio[1:], ratio[:1]).any() else multiple
    detail = f"{number(float(ours[0]))}, and {number(float(expected[0]))} by nnrun's {name}"
    yield Finding(f"beside {name}", False, says, detail)
