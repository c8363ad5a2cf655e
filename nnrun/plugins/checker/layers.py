"""The checks of layers and activations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from inspect import Parameter as Argument
from inspect import signature
from typing import Any

import numpy as np

from nnrun.nn.activations import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.signature import Array, Shape
from nnrun.plugins.checker import own_mistakes, samples
from nnrun.plugins.checker.derivatives import Jacobian, jacobian
from nnrun.plugins.checker.findings import (
    Failed,
    Finding,
    differing,
    first_difference,
    shape_words,
)
from nnrun.plugins.checker.mistakes import ZERO, Gradient, Mistake, name_mistake
from nnrun.plugins.checker.reference import compare_layer
from nnrun.plugins.checker.subject import Subject, accepts, calling, inner_layers, unlisted
from nnrun.plugins.part import Part

_BY = "differences of y"
_NOTHING = 1e-9


def check_layer(part: Part) -> Iterator[Finding]:
    """All checks of a layer, on rows of each kind that it takes.

    Raises: Failed for a mistake after which the others make no sense.
    """
    with calling("arguments"):
        arguments = samples.arguments(part.entry)
    taken = [s for s in samples.shapes(_kind(part)) if accepts(_build(part, arguments), s)]
    if not taken:
        raise Failed("shapes", "it takes neither vectors nor images; see input_kind")
    shown = dict.fromkeys(len(shape) for shape in taken)
    first = [next(s for s in taken if len(s) == axes) for axes in shown]
    tried = _Tried(part, arguments)
    yield tried.shapes(taken)
    yield Finding("forward", True, "it gives finite numbers")
    for check in (tried.input, tried.parameters, tried.calls, tried.rows):
        yield _first_wrong(check(shape) for shape in first)
    if getattr(part.entry, "exact_gradient", True):
        yield from tried.gradients(first)
    else:
        yield Finding("gradient of x", True, "it is another on purpose: exact_gradient = False")
    for check in (tried.needs_dx, tried.float32):
        yield _first_wrong(check(shape) for shape in first)
    yield from compare_layer(part, arguments, first)


def _first_wrong(findings: Iterator[Finding]) -> Finding:
    found = [*findings]
    return next((finding for finding in found if not finding.passed), found[0])


def _kind(part: Part) -> str | None:
    kind: str | None = getattr(part.entry, "input_kind", None)
    return kind


def _build(part: Part, arguments: dict[str, Any]) -> Callable[[], Layer | list[Layer]]:
    return lambda: part.entry(**deepcopy(arguments))  # which may hold layers


class _Tried:
    """A part with its arguments; each method is a check, on rows of one shape."""

    def __init__(self, part: Part, arguments: dict[str, Any]) -> None:
        self.part = part
        self.arguments = arguments

    def subject(self, shape: Shape, dtype: Any = np.float64) -> Subject:
        return Subject(_build(self.part, self.arguments), shape, dtype)

    def shapes(self, taken: list[Shape]) -> Finding:
        """The shapes of y are those that `_connect` says; y are finite numbers."""
        words = []
        for shape in taken:
            subject = self.subject(shape)
            y: Any = subject.forward(samples.rows(shape))
            if y is None:
                raise Failed("forward", "it returns nothing; it ends in return y")
            y = np.asarray(y)
            said, row = subject.network.output_shape, y.shape[1:]
            if row != said or len(y) != samples.ROWS:
                what = f"rows become {shape_words(said)}, and forward gives {shape_words(row)}"
                raise Failed("shapes", f"_connect says that {what}")
            if not np.isfinite(y).all():
                raise Failed("forward", "some numbers of y are not finite", str(y.ravel()[:3]))
            self._written(subject, shape, y)
            words.append(f"{shape_words(shape)} → {shape_words(said)}")
        return Finding("shapes", True, "; ".join(words))

    def _written(self, subject: Subject, shape: Shape, y: Array) -> None:
        layer = subject.layers[0]
        if not isinstance(layer, Activation) or y.any():
            return
        empty = np.full(y.shape, np.nan)
        with calling("forward"):
            layer.value(samples.rows(shape), empty)
        if np.isnan(empty).all():
            says = "value writes nothing into y; write y[...] = … and not y = …"
            raise Failed("forward", says)

    def input(self, shape: Shape) -> Finding:
        """Neither x nor dy is overwritten."""
        subject, x = self.subject(shape), samples.rows(shape)
        given = x.copy()
        y = subject.forward(given)
        if differing(given, x).any():
            raise Failed("input", "forward overwrites its input x")
        dy = samples.rows(y.shape[1:], seed=3)
        given = dy.copy()
        _backward(subject, given, x)
        if differing(given, dy).any():
            raise Failed("input", "backward overwrites dy")
        return Finding("input", True, "x and dy keep their numbers")

    def calls(self, shape: Shape) -> Finding:
        """The result depends on this call alone."""
        subject, x = self.subject(shape), samples.rows(shape)
        y = np.array(subject.forward(x))
        if differing(np.array(subject.forward(x)), y).any():
            says = "the same input gives another result the second time: state is carried over"
            raise Failed("calls", says)
        dy = samples.rows(y.shape[1:], seed=3)
        dx = np.array(_backward(subject, dy, x))
        subject.forward(x)
        again = np.array(_backward(subject, dy, x))
        if differing(again, dx).any():
            says = "backward gives another result the second time, for the same dy"
            raise Failed("calls", says)
        used, fresh = self.subject(shape), self.subject(shape)
        used.forward(samples.rows(shape, seed=4))
        for each in (used, fresh):
            each.network.gradient[...] = 0
            each.forward(x)
            _backward(each, dy, x)
        if differing(used.network.gradient, fresh.network.gradient).any():
            raise Failed("calls", "backward uses what an earlier call of forward kept")
        return Finding("calls", True, "each gives what its own input asks for")

    def parameters(self, shape: Shape) -> Finding:
        """Parameters are listed, named, used, and left to the optimizer."""
        subject, x = self.subject(shape), samples.rows(shape)
        everywhere = inner_layers(subject.layers)
        for parameter in unlisted(everywhere):
            says = f"{parameter.name} is not in self.parameters, so that it is never trained"
            raise Failed("parameters", says)
        for layer in everywhere:
            for name, count in Counter(each.name for each in layer.parameters).items():
                if count > 1:
                    says = f"two are called {name}; each needs a name of its own"
                    raise Failed("parameters", says)
        before = {name: p.value.copy() for name, p in subject.parameters.items()}
        y = subject.forward(x)
        _backward(subject, samples.rows(y.shape[1:], seed=3), x)
        for name, parameter in subject.parameters.items():
            if not np.shares_memory(parameter.grad, subject.network.gradient):
                place = f"write into it: {name}.grad[...] = …"
                says = f"backward puts a new array in the place of {name}.grad; {place}"
                raise Failed("parameters", says)
            if differing(parameter.value, before[name]).any():
                what = "an update is the optimizer's, and dL/dx needs the old value"
                raise Failed("parameters", f"backward changes {name}: {what}")
        names = ", ".join(before) or "it has none"
        return Finding("parameters", True, names)

    def rows(self, shape: Shape) -> Finding:
        """A row gives the same alone and in a batch."""
        subject, x = self.subject(shape), samples.rows(shape)
        if any(layer.batch_dependent for layer in inner_layers(subject.layers)):
            return Finding("rows", True, "it says that they depend on each other")
        y = np.array(subject.forward(x, training=False))
        for row in range(len(x)):
            alone = subject.forward(x[row : row + 1], training=False)
            if alone.shape != y[:1].shape or differing(alone[0], y[row]).any():
                says = "a row gives another result alone"
                says += "; if that is meant, say batch_dependent = True"
                return Finding("rows", False, says, f"row {row} of {len(x)}")
        return Finding("rows", True, "each gives the same alone and in a batch")

    def float32(self, shape: Shape) -> Finding:
        """float32 stays float32, and gives nearly the same numbers."""
        double, single = self.subject(shape), self.subject(shape, np.float32)
        x = samples.rows(shape)
        dy = samples.rows(double.network.output_shape, seed=3)
        wide = [double.forward(x), _backward(double, dy, x)]
        x, dy = x.astype(np.float32), dy.astype(np.float32)
        narrow = [single.forward(x), _backward(single, dy, x)]
        if any(array.dtype != np.float32 for array in narrow):
            return Finding("float32", False, "float32 becomes float64; keep the dtype of x")
        for exact, near in zip(wide, narrow, strict=True):
            if (np.abs(exact - near) > 1e-3 * max(1.0, float(np.abs(exact).max()))).any():
                return Finding("float32", False, "in float32 the numbers are others")
        return Finding("float32", True, "it stays float32")

    def needs_dx(self, shape: Shape) -> Finding:
        """Gradients of parameters are written where dL/dx is not needed, too."""
        whole, short = self.subject(shape), self.subject(shape)
        x = samples.rows(shape)
        for each, needed in ((whole, True), (short, False)):
            y = each.forward(x)
            each.backward(samples.rows(y.shape[1:], seed=3), needs_dx=needed)
        for name, parameter in short.parameters.items():
            if differing(parameter.grad, whole.parameters[name].grad).any():
                says = f"without needs_dx the gradient of {name} is not written"
                return Finding("needs_dx", False, says)
        return Finding("needs_dx", True, "gradients of parameters do not depend on it")

    def gradients(self, shapes: list[Shape]) -> Iterator[Finding]:
        """Every gradient, compared with differences, on the first shape that shows a mistake."""
        found: dict[str, Finding] = {}
        for shape in shapes:
            for finding in self._gradients(shape):
                if finding.check not in found or found[finding.check].passed:
                    found[finding.check] = finding
        yield from found.values()

    def _gradients(self, shape: Shape) -> Iterator[Finding]:
        subject, x = self.subject(shape), samples.rows(shape)
        y = np.array(subject.forward(x))
        dy = samples.rows(y.shape[1:], seed=3)
        subject.network.gradient[...] = 0
        dx = np.array(_backward(subject, dy, x))
        grads = {name: p.grad.copy() for name, p in subject.parameters.items()}
        yield self._input_gradient(subject, x, Gradient(dx, _along(subject, x, x), y, dy))
        again = self._second(subject, x, dy)
        for name, parameter in subject.parameters.items():
            along = _along(subject, parameter.value, x)
            if float(np.abs(along.values).max()) <= _NOTHING:
                yield Finding("parameters", False, f"y does not depend on {name}")
                continue
            gradient = Gradient(grads[name], along, y, dy)
            if not grads[name].any() or differing(again[name], 2 * grads[name]).any():
                more = own_mistakes.of_parameter(name, gradient, x, lambda: self._plain(shape))
                yield _compared(f"gradient of {name}", f"dL/d{name}", gradient, more)
            else:
                says = "it is added to that of the call before; write it anew each time"
                yield Finding(f"gradient of {name}", False, says)

    def _second(self, subject: Subject, x: Array, dy: Array) -> dict[str, Array]:
        """The gradients of parameters after a second, equal call."""
        subject.forward(x)
        _backward(subject, dy, x)
        return {name: p.grad.copy() for name, p in subject.parameters.items()}

    def _input_gradient(self, subject: Subject, x: Array, gradient: Gradient) -> Finding:
        more = own_mistakes.of_input(gradient, subject, x, lambda: self._plain(x.shape[1:]))
        finding = _compared("gradient of x", "dL/dx", gradient, more)
        layer = subject.layers[0]
        if finding.says == ZERO and isinstance(layer, Activation):
            says = "gradient writes nothing into dx; write dx[...] = … and not dx = …"
            return Finding(finding.check, False, says, finding.detail)
        return finding

    def _plain(self, shape: Shape) -> Subject | None:
        """The same layer with a stride of one, and the same weights; None if it has no stride."""
        known = signature(self.part.entry).parameters.values()
        defaults = {one.name: one.default for one in known if one.default is not Argument.empty}
        arguments = own_mistakes.without_stride(self.arguments, defaults)
        if arguments is None:
            return None
        return Subject(_build(self.part, arguments), shape)


def _along(subject: Subject, a: Array, x: Array) -> Jacobian:
    return jacobian(lambda: subject.forward(x), a)


def _backward(subject: Subject, dy: Array, x: Array) -> Array:
    dx: Any = subject.backward(dy)
    if dx is None:
        raise Failed("gradient of x", "backward returns nothing; it ends in return dx")
    dx = np.asarray(dx)
    assert isinstance(dx, np.ndarray)
    if dx.shape != x.shape:
        found, right = shape_words(dx.shape), shape_words(x.shape)
        transpose = ": it is the transpose" if dx.shape == x.T.shape else ""
        raise Failed("gradient of x", f"its shape is {found}, and that of x {right}{transpose}")
    return dx


def _compared(check: str, name: str, gradient: Gradient, more: Iterator[Mistake]) -> Finding:
    wrong = gradient.wrong
    if not wrong.any():
        unknown = int((~gradient.along.known).sum())
        note = f", {unknown} at a kink left out" if unknown else ""
        return Finding(check, True, f"it agrees with differences{note}")
    detail = first_difference(name, gradient.given, gradient.right, wrong, _BY)
    says = name_mistake(gradient, more) or "it is wrong"
    return Finding(check, False, says, detail)
