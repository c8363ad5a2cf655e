"""The checks of a plugin's file: all its parts, layers and gradients first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike

import numpy as np

from nnrun.nn.activations import Activation
from nnrun.nn.signature import Array, Shape
from nnrun.plugins.checker import mistakes as own_mistakes
from nnrun.plugins.checker import subject as behaviour
from nnrun.plugins.checker import subject as samples
from nnrun.plugins.checker.findings import Failed, Finding, PartReport, differing, first_difference
from nnrun.plugins.checker.mistakes import ZERO, Gradient, Jacobian, Mistake, jacobian, name_mistake
from nnrun.plugins.checker.reference_checks import OTHERS, check_loss, compare_layer
from nnrun.plugins.checker.subject import Subject, Trial, accepts, backward, calling
from nnrun.plugins.kinds import check_name
from nnrun.plugins.part import Part
from nnrun.plugins.running import describe_fault, read

# Every gradient of a layer, compared with differences of its output.

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


# The checks of layers and activations.

_BEFORE = (
    behaviour.check_input,
    behaviour.check_parameters,
    behaviour.check_calls,
    behaviour.check_rows,
)
_AFTER = (behaviour.check_needs_dx, behaviour.check_float32)


def check_layer(part: Part) -> Iterator[Finding]:
    """All checks of a layer, on rows of each kind that it takes.

    Raises: Failed for a mistake after which the other checks are meaningless.
    """
    with calling("arguments"):
        trial = Trial(part, samples.arguments(part.entry))
    kind = getattr(part.entry, "input_kind", None)
    taken: list[Shape] = []
    for shape in (*samples.shapes(kind), samples.SERIES):
        if shape == samples.SERIES and taken:
            break
        with _beside_vectors(shape, taken):
            if accepts(trial.build(), shape):
                trial.subject(shape).forward(samples.rows(shape))
                taken.append(shape)
    if not taken:
        raise Failed("shapes", "it takes neither vectors nor images; see input_kind")
    first = [next(s for s in taken if len(s) == axes) for axes in {len(s): s for s in taken}]
    yield behaviour.check_shapes(trial, taken)
    yield Finding("forward", True, "it gives finite numbers")
    for check in _BEFORE:
        yield _first_wrong(check(trial, shape) for shape in first)
    if getattr(part.entry, "exact_gradient", True):
        yield from check_gradients(trial, first)
    else:
        yield Finding("gradient of x", True, "it is another on purpose: exact_gradient = False")
    for check in _AFTER:
        yield _first_wrong(check(trial, shape) for shape in first)
    yield from compare_layer(trial, first)


@contextmanager
def _beside_vectors(shape: Shape, taken: list[Shape]) -> Iterator[None]:
    """Say what to do about a layer that fails on images, and has taken vectors."""
    try:
        yield
    except Failed as error:
        if len(shape) == 1 or not any(len(other) == 1 for other in taken):
            raise
        found = error.finding
        says = f'of images, {found.says}; a layer for vectors alone has input_kind = "vectors"'
        raise Failed(found.check, says, found.detail) from error


def _first_wrong(findings: Iterator[Finding]) -> Finding:
    found = [*findings]
    return next((finding for finding in found if not finding.passed), found[0])


CHECKS: dict[str, Callable[[Part], Iterator[Finding]]] = {
    "layer": check_layer,
    "activation": check_layer,
    "loss": check_loss,
    **OTHERS,
}
_OF_LAYERS = ("shapes", "forward", "input", "parameters", "calls", "rows", "gradient of x")
# What each kind is always checked for; layers have a check for the gradient of each parameter, too.
ALWAYS: dict[str, tuple[str, ...]] = {
    "layer": (*_OF_LAYERS, "needs_dx", "float32"),
    "activation": (*_OF_LAYERS, "needs_dx", "float32"),
    "loss": ("value", "input", "mean", "rows", "gradient of y", "float32"),
    "optimizer": ("step", "descends", "state", "float32"),
    "initializer": ("values", "rng"),
    "schedule": ("rates", "alone"),
    "step": ("apply", "rows", "state"),
    "metric": ("value", "order", "direction"),
    "dataset": ("data", "same again"),
}


def check_file(file: str | PathLike[str]) -> list[PartReport]:
    """A report on each part that a file registers; they may be named as nnrun's own of their kind.

    Raises: PluginError if the file cannot be loaded, registers nothing, or has a name that another
        part of it or one of another kind has.
    """
    known: dict[str, Part] = {}
    for part in read(file):
        check_name(part, known)
        known[part.name] = part
    return [check_part(part) for part in known.values()]


def check_part(part: Part) -> PartReport:
    """The findings about one part.

    After a mistake that makes the other checks meaningless, these count as not passed.
    """
    findings: list[Finding] = []
    try:
        for finding in CHECKS[part.kind](part):
            findings.append(finding)  # noqa: PERF402  # those before an error are kept
    except (Exception, SystemExit) as error:
        failed = error if isinstance(error, Failed) else _fault(error)
        findings.append(failed.finding)
        made = {finding.check for finding in findings}
        why = f"not checked, since '{failed.finding.check}' is wrong"
        rest = (name for name in ALWAYS[part.kind] if name not in made)
        findings += [Finding(name, False, why, reached=False) for name in rest]
    return PartReport(part, findings)


def _fault(error: BaseException) -> Failed:
    """An error between two checks, as of an attribute that nothing calls."""
    return Failed("code", describe_fault(error) or f"{type(error).__name__}: {error}")
