"""The checks of losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nnrun.nn.signature import Array
from nnrun.plugins.checker import samples
from nnrun.plugins.checker.derivatives import jacobian
from nnrun.plugins.checker.findings import (
    Failed,
    Finding,
    differing,
    first_difference,
    number,
    shape_words,
    verdict,
)
from nnrun.plugins.checker.mistakes import FACTOR, SIGN, ZERO
from nnrun.plugins.checker.reference import compare
from nnrun.plugins.checker.subject import calling
from nnrun.plugins.part import Part

_ROWS = "it is that of a sum over the rows, and the value is their mean"
_OUTPUTS = "it lacks the division by the number of outputs"
_BOTH = "it lacks the division by rows and outputs, since the value is a mean"
_TWICE = "it is divided by the number of rows once too often"
_NO_OUTPUTS = "it is divided by the number of outputs, over which the value is a sum"
_TARGET = "it is that along the target: y and target are swapped"


def check_loss(part: Part) -> Iterator[Finding]:
    """All checks of a loss.

    Raises: Failed for a mistake after which the other checks are meaningless.
    """
    with calling("arguments"):
        loss = part.entry(**samples.arguments(part.entry))
    y, target = samples.predictions(loss.needs)
    value = _value(loss, y, target)
    if _value(loss, y, target) != value:
        raise Failed("value", "a second call gives another: state is carried over")
    yield Finding("value", True, "it is a finite number")
    yield _unchanged(loss, y, target)
    yield _mean(loss, y, target, value)
    yield _rows(loss, y, target)
    yield _gradient(loss, y, target)
    yield _float32(loss, y, target)
    yield from compare(part, "its values are", _values)


def _values(entry: Any) -> list[float]:
    """Of two batches."""
    loss = entry(**samples.arguments(entry))
    return [loss.value(*samples.predictions(loss.needs, seed=seed)) for seed in (2, 5)]


def _value(loss: Any, y: Array, target: Array) -> float:
    with calling("value"):
        value = loss.value(y.copy(), target.copy())
    if value is None:
        raise Failed("value", "it returns nothing; it ends in return and one number")
    if np.ndim(value):
        raise Failed("value", f"it is an array of {shape_words(value.shape)}; a loss is one number")
    if not np.isfinite(value):
        raise Failed("value", "it is not finite")
    return float(value)


def _unchanged(loss: Any, y: Array, target: Array) -> Finding:
    for method in ("value", "gradient"):
        given = y.copy(), target.copy()
        with calling(f"{method}"):
            getattr(loss, method)(*given)
        for name, before, after in zip(("y", "target"), (y, target), given, strict=True):
            if differing(after, before).any():
                raise Failed("input", f"{method} overwrites {name}")
    return Finding("input", True, "y and target keep their numbers")


def _mean(loss: Any, y: Array, target: Array, value: float) -> Finding:
    twice = _value(loss, np.concatenate([y, y]), np.concatenate([target, target]))
    if abs(twice - value) <= 1e-9 * max(1.0, abs(value)):
        return Finding("mean", True, "it does not grow with the batch")
    says = f"of the same rows twice the value is {number(twice / value)} times as large"
    if abs(twice - 2 * value) <= 1e-9 * abs(value):
        says = "of the same rows twice the value is twice as large"
    raise Failed("mean", f"{says}: a loss is a mean over the rows")


def _rows(loss: Any, y: Array, target: Array) -> Finding:
    """`rows` gives each row's own loss, whose mean the value is."""
    single = np.array([_value(loss, y[i : i + 1], target[i : i + 1]) for i in range(len(y))])
    with calling("rows"):
        found = np.asarray(loss.rows(y.copy(), target.copy()))
    same = found.shape == single.shape and not differing(found, single).any()
    says = "rows gives other numbers than the value of each row alone"
    return verdict("rows", same, "rows gives the loss of each row", says)


def _gradient(loss: Any, y: Array, target: Array) -> Finding:
    check = "gradient of y"
    with calling(check):
        given = loss.gradient(y.copy(), target.copy())
    if given is None:
        return Finding(check, False, "it returns nothing; it ends in return dy")
    given = np.asarray(given)
    if given.shape != y.shape:
        shapes = f"{shape_words(given.shape)}, and that of y {shape_words(y.shape)}"
        return Finding(check, False, f"its shape is {shapes}")
    along = jacobian(lambda: np.array(loss.value(y, target)), y)
    right = along.values.reshape(y.shape)
    wrong = differing(given, right) & along.known
    if not wrong.any():
        return Finding(check, True, "it agrees with differences of the value")
    detail = first_difference("dL/dy", given, right, wrong, "differences of the value")
    return Finding(check, False, _named(loss, given, right, y, target), detail)


def _named(loss: Any, given: Array, right: Array, y: Array, target: Array) -> str:
    rows, outputs = y.shape
    mistakes = (
        (ZERO, 0.0), (SIGN, -1.0), (_ROWS, rows), (_OUTPUTS, outputs), (_BOTH, rows * outputs),
        (_TWICE, 1 / rows), (_NO_OUTPUTS, 1 / outputs),
    )  # fmt: skip
    for says, factor in mistakes:
        if not differing(given, factor * right, 1e-5).any():
            return says
    factor = float(np.vdot(given, right) / np.vdot(right, right))
    if not differing(given, factor * right, 1e-5).any():
        return FACTOR.format(number(factor))
    along = jacobian(lambda: np.array(loss.value(y, target)), target).values.reshape(y.shape)
    return "it is wrong" if differing(given, along, 1e-5).any() else _TARGET


def _float32(loss: Any, y: Array, target: Array) -> Finding:
    with calling("float32"):
        narrow = loss.gradient(y.astype(np.float32), target.astype(np.float32))
    says = "float32 becomes float64; keep the dtype of y"
    return verdict("float32", narrow.dtype == np.float32, "it stays float32", says)
