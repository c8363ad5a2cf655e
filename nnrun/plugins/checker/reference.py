"""Comparison with the part of nnrun that has the same name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from inspect import signature
from typing import Any

import numpy as np

from nnrun.nn.signature import Array, Shape, ShapeError
from nnrun.plugins.checker import samples
from nnrun.plugins.checker.findings import Failed, Finding, differing, first_difference, number
from nnrun.plugins.checker.subject import Subject, Trial, calling
from nnrun.plugins.kinds import KINDS
from nnrun.plugins.part import Part

_PREFIX = "my_"


def reference_of(part: Part) -> tuple[str, Any] | None:
    """The name and the entry of nnrun's own part with this name, or with it after `my_`."""
    table = KINDS[part.kind].table
    name = part.name.removeprefix(_PREFIX)
    return (name, table[name]) if name in table.own else None


def compare(part: Part, what: str, compute: Callable[[Any], Any]) -> Iterator[Finding]:
    """The numbers of a part beside those of nnrun's own part with the same name.

    Args:
        part: whose numbers they are.
        what: they are, in a sentence, such as `its numbers are`.
        compute: from the entry of either.
    """
    found = reference_of(part)
    if found is None:
        return
    name, entry = found
    check = f"beside {name}"
    with calling(check):
        ours, expected = np.asarray(compute(part.entry)), np.asarray(compute(entry))
    wrong = differing(ours, expected)
    if not wrong.any():
        yield Finding(check, True, f"{what} those of nnrun's {name}")
        return
    place = int(wrong.argmax())
    detail = f"{number(ours.flat[place])}, and {number(expected.flat[place])} by nnrun's {name}"
    factor = _factor(ours, expected)
    times = f": all are {number(factor)} times the right ones" if factor else ""
    yield Finding(check, False, f"{what} not those of {name}{times}", detail)


def _factor(ours: Array, expected: Array) -> float | None:
    """By which all of ours differ from what is expected; None where they differ otherwise."""
    ratio = float(np.vdot(ours, expected) / np.vdot(expected, expected))
    return None if differing(ours, ratio * expected, 1e-5).any() else ratio


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
    if factor := _factor(y, expected):
        return f"y is {number(factor)} times the right one"
    away = y - expected
    if not differing(away, np.broadcast_to(away[:1], away.shape), 1e-5).any():
        return "all rows are off by the same numbers, as where a bias is left out or added twice"
    return ""
