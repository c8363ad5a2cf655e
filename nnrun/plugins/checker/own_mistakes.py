"""Mistakes that are tried by changing the layer: a transposed weight, a stride of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np

from nnrun.nn.signature import Array
from nnrun.plugins.checker.derivatives import jacobian
from nnrun.plugins.checker.findings import Failed, differing
from nnrun.plugins.checker.mistakes import Gradient, Mistake
from nnrun.plugins.checker.subject import Subject

WITH_TRANSPOSE = "it is right with the transpose of {}"
WITH_FLIPPED = "it is right with {} flipped in height and width"
LEFT_OUT = "{} is left out: it is right with 1 in its place"
STRIDE = "the stride is forgotten: it is that of a stride of 1"
AT_Y = "the derivative is taken at y in place of x"
EXCHANGED = "it is right with {} in place of self.{}"
ALONE = "each entry of dx uses one of dy, and an entry of x changes several of y, as through a mean"
PLAIN = "it is the sum of dy: the derivative of what follows is missing"


def of_input(
    gradient: Gradient, subject: Subject, x: Array, plain: Callable[[], Subject | None]
) -> Iterator[Mistake]:
    """Mistakes in dL/dx; `plain` makes the same layer with a stride of one, if it has one."""
    for name, parameter in subject.parameters.items():
        shape = parameter.shape
        yield LEFT_OUT.format(name), _with(subject, name, x, gradient, np.ones_like)
        if len(shape) == 2 and shape[0] == shape[1]:
            yield WITH_TRANSPOSE.format(name), _with(subject, name, x, gradient, _transposed)
        if len(shape) > 2:
            yield WITH_FLIPPED.format(name), _with(subject, name, x, gradient, _flipped)
    if gradient.along.is_elementwise:
        yield AT_Y, lambda: gradient.dy * _slope_at(subject, gradient.y)
    elif gradient.y.shape == x.shape:
        yield ALONE, lambda: _if(gradient, _is_alone(subject, gradient, x))
    yield STRIDE, lambda: _with_stride_one(plain, gradient.dy, lambda layer: x, x)
    yield from _exchanged(gradient, subject, x, lambda dx: dx)


def of_parameter(
    name: str,
    gradient: Gradient,
    subject: Subject,
    x: Array,
    plain: Callable[[], Subject | None],
) -> Iterator[Mistake]:
    """Mistakes in the gradient of a parameter."""
    axes = 0 if gradient.given.ndim == gradient.dy.ndim - 1 else (0, *range(2, gradient.dy.ndim))
    yield PLAIN, lambda: gradient.dy.sum(axis=axes)
    yield (
        STRIDE,
        lambda: _with_stride_one(plain, gradient.dy, lambda layer: layer.parameters[name].value, x),
    )
    yield from _exchanged(gradient, subject, x, lambda dx: subject.parameters[name].grad)


def _exchanged(
    gradient: Gradient, subject: Subject, x: Array, chosen: Callable[[Array], Array]
) -> Iterator[Mistake]:
    """A backward pass that uses what forward has kept of x in place of y, or of y in place of x."""
    y, layer = gradient.y, subject.layers[0]
    if y.shape != x.shape or len(subject.layers) > 1:
        return
    subject.forward(x)

    def mends(attribute: str, kept: Array, other: Array) -> bool:
        vars(layer)[attribute] = other.copy()
        found = np.array(chosen(subject.backward(gradient.dy)))
        vars(layer)[attribute] = kept
        return not (differing(found, gradient.right) & gradient.along.known).any()

    for (attribute, kept), (this, other, name) in product(
        [*vars(layer).items()], ((x, y, "y"), (y, x, "x"))
    ):
        if isinstance(kept, np.ndarray) and np.array_equal(kept, this):
            says = EXCHANGED.format(name, attribute)
            yield says, partial(lambda *parts: _if(gradient, mends(*parts)), attribute, kept, other)


def _is_alone(subject: Subject, gradient: Gradient, x: Array) -> bool:
    """Whether dL/dx of a number does not change with dL/dy of others."""
    alone = np.zeros_like(gradient.dy)
    alone.flat[0] = gradient.dy.flat[0]
    subject.forward(x)
    return not differing(subject.backward(alone), gradient.given * (alone != 0)).any()


def _if(gradient: Gradient, found: bool) -> Array:
    """The gradient as it is, if that is what was found."""
    return gradient.given if found else np.empty(0)


def _transposed(value: Array) -> Array:
    return value.T.copy()


def _flipped(value: Array) -> Array:
    return value[..., ::-1, ::-1].copy()


def _with(
    subject: Subject,
    name: str,
    x: Array,
    gradient: Gradient,
    change: Callable[[Array], Array],
) -> Callable[[], Array]:
    """dL/dx of the layer with a changed parameter."""

    def made() -> Array:
        parameter = subject.parameters[name]
        before = parameter.value.copy()
        parameter.value[...] = change(before)
        found = jacobian(lambda: subject.forward(x), x).along(gradient.dy)
        parameter.value[...] = before
        return found

    return made


def _slope_at(subject: Subject, y: Array) -> Array:
    at = y.copy()
    return jacobian(lambda: subject.forward(at), at).diagonal


def _with_stride_one(
    plain: Callable[[], Subject | None],
    dy: Array,
    chosen: Callable[[Subject], Array],
    x: Array,
) -> Array:
    """The gradient of the layer with a stride of one, whose first outputs are those of dy."""
    try:
        layer = plain()
    except (Failed, ValueError, TypeError):
        layer = None
    if layer is None:
        return np.empty(0)
    y = layer.forward(x)
    if y.ndim != dy.ndim or any(a < b for a, b in zip(y.shape, dy.shape, strict=True)):
        return np.empty(0)
    padded = np.zeros(y.shape)
    padded[tuple(slice(side) for side in dy.shape)] = dy
    return jacobian(lambda: layer.forward(x), chosen(layer)).along(padded)
