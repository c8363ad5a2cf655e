"""Every gradient of a layer, compared with differences of its output."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnrun.nn.activations import Activation
from nnrun.nn.signature import Array, Shape
from nnrun.plugins.checker import own_mistakes, samples
from nnrun.plugins.checker.derivatives import Jacobian, jacobian
from nnrun.plugins.checker.findings import Finding, differing, first_difference
from nnrun.plugins.checker.mistakes import ZERO, Gradient, Mistake, name_mistake
from nnrun.plugins.checker.subject import Subject, Trial, backward

_BY = "differences of y"
_NOTHING = 1e-9


def check_gradients(trial: Trial, shapes: list[Shape]) -> Iterator[Finding]:
    """Every gradient, compared with differences, on the first shape that shows a mistake."""
    found: dict[str, Finding] = {}
    for shape in shapes:
        for finding in _on_shape(trial, shape):
            if finding.check not in found or found[finding.check].passed:
                found[finding.check] = finding
    yield from found.values()


def _on_shape(trial: Trial, shape: Shape) -> Iterator[Finding]:
    subject, x = trial.subject(shape), samples.rows(shape)
    y = np.array(subject.forward(x))
    dy = samples.rows(y.shape[1:], seed=3)
    subject.network.gradient[...] = 0
    dx = np.array(backward(subject, dy, x))
    grads = {name: p.grad.copy() for name, p in subject.parameters.items()}
    yield _of_input(trial, subject, x, Gradient(dx, _along(subject, x, x), y, dy))
    again = _second(subject, x, dy)
    for name, parameter in subject.parameters.items():
        along = _along(subject, parameter.value, x)
        if float(np.abs(along.values).max()) <= _NOTHING:
            yield Finding("parameters", False, f"y does not depend on {name}")
            continue
        gradient = Gradient(grads[name], along, y, dy)
        if not grads[name].any() or differing(again[name], 2 * grads[name]).any():
            more = own_mistakes.of_parameter(name, gradient, subject, x, lambda: trial.plain(shape))
            yield _compared(f"gradient of {name}", f"dL/d{name}", gradient, more)
        else:
            says = "it is added to that of the call before; write it anew each time"
            yield Finding(f"gradient of {name}", False, says)


def _second(subject: Subject, x: Array, dy: Array) -> dict[str, Array]:
    """The gradients of parameters after a second, equal call."""
    subject.forward(x)
    backward(subject, dy, x)
    return {name: p.grad.copy() for name, p in subject.parameters.items()}


def _of_input(trial: Trial, subject: Subject, x: Array, gradient: Gradient) -> Finding:
    more = own_mistakes.of_input(gradient, subject, x, lambda: trial.plain(x.shape[1:]))
    finding = _compared("gradient of x", "dL/dx", gradient, more)
    layer = subject.layers[0]
    if finding.says == ZERO and isinstance(layer, Activation):
        says = "gradient writes nothing into dx; write dx[...] = … and not dx = …"
        return Finding(finding.check, False, says, finding.detail)
    return finding


def _along(subject: Subject, a: Array, x: Array) -> Jacobian:
    return jacobian(lambda: subject.forward(x), a)


def _compared(check: str, name: str, gradient: Gradient, more: Iterator[Mistake]) -> Finding:
    wrong = gradient.wrong
    if not wrong.any():
        unknown = int((~gradient.along.known).sum())
        note = f", {unknown} at a kink left out" if unknown else ""
        return Finding(check, True, f"it agrees with differences{note}")
    detail = first_difference(name, gradient.given, gradient.right, wrong, _BY)
    says = name_mistake(gradient, more) or "it is wrong"
    return Finding(check, False, says, detail)
