"""The usual mistakes in a gradient, each as the gradient that it gives.

A wrong gradient is named by the first mistake that, made on the right one, gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from nnrun.nn.signature import Array
from nnrun.plugins.checker.findings import Failed, differing, number
from nnrun.plugins.checker.subject import Subject

# Derivatives by differences: every output along every input.

_STEP = 1e-3
_AGREE = 1e-6


@dataclass(frozen=True)
class Jacobian:
    """The derivatives of an array y along an array a.

    Args:
        values: dy/da, (entries of y, entries of a).
        known: of a, which entries have a derivative: not where y has a kink.
        y_shape: that of y.
        shape: that of a.
    """

    values: Array
    known: Array
    y_shape: tuple[int, ...]
    shape: tuple[int, ...]

    def along(self, dy: Array) -> Array:
        """dL/da for dL/dy, of a's shape."""
        found: Array = (dy.reshape(-1) @ self.values).reshape(self.shape)
        return found

    @property
    def is_elementwise(self) -> bool:
        """Whether each entry of y depends on the entry of a in its place alone."""
        if self.y_shape != self.shape:
            return False
        others = self.values - np.diag(np.diag(self.values))
        return float(np.abs(others).max()) <= _AGREE

    @property
    def diagonal(self) -> Array:
        """The derivative of each entry of y along the entry of a in its place."""
        found: Array = np.diag(self.values).reshape(self.shape)
        return found


def jacobian(y: Callable[[], Array], a: Array) -> Jacobian:
    """The derivatives of y along the entries of a, which is changed and restored.

    By five-point central differences of two steps; entries where these disagree are not known.
    """
    first = y()
    values = np.empty((first.size, a.size))
    known = np.empty(a.size, bool)
    for index, place in enumerate(np.ndindex(*a.shape)):
        start = a[place]
        at = {}
        for steps in (-2, -1, -0.5, 0.5, 1, 2):
            a[place] = start + steps * _STEP
            at[steps] = np.array(y(), np.float64).reshape(-1)
        a[place] = start
        wide, near = (
            (at[-2 * k] - 8 * at[-k] + 8 * at[k] - at[2 * k]) / (12 * k * _STEP) for k in (1, 0.5)
        )
        values[:, index] = near
        scale = max(float(np.abs(near).max(initial=0.0)), 1e-3)
        known[index] = bool((np.abs(wide - near) <= _AGREE * scale).all())
    return Jacobian(values, known.reshape(a.shape), first.shape, a.shape)


Mistake = tuple[str, Callable[[], Array]]
"""A sentence, and the gradient that the mistake gives."""

ZERO = "it is zero: backward does not compute it"
SIGN = "it has the opposite sign"
TRANSPOSED = "it is the transpose of the right one"
DIVIDED = "it is divided by the number of rows, which the loss does"
TIMES_ROWS = "it is multiplied by the number of rows"
UNUSED = "it does not use dy, the gradient from above"
UNCHANGED = "dy is passed on unchanged: the layer's own derivative is missing"
VALUE = "it is dy · f(x): the value stands in place of the derivative"
FIRST_ROW = "it is that of the first row alone"
LAST_ROW = "it is that of the last row alone"
SUMMED = "every entry is the sum of all"
AVERAGED = "every entry is the mean of all"
MEAN = "it is divided by the number of {}: a mean stands where a sum is needed"
PATH = "the term dy is missing: y has x itself as a term"
FLIPPED = "it is flipped in height and width"
DIAGONAL = "only the diagonal of the derivative is there, and y depends on several numbers of x"
REPLACED = "overlapping parts are not added up: one replaces the other"
FACTOR = "all of it is {} times the right one"
# Derivatives by differences are rounded.
_REACHED = 1e-6
# Of a shifted array, the numbers at the edge are not known; of a small one, these are most.
_MOST_AT_EDGE = 0.7
SHIFTED = "it is shifted by {} along axis {}"


@dataclass(frozen=True)
class Gradient:
    """A gradient of a layer by its backward pass, beside the derivatives by differences.

    Args:
        given: by the backward pass.
        along: the derivatives.
        y: the layer's output, (rows, …).
        dy: the gradient from above.
    """

    given: Array
    along: Jacobian
    y: Array
    dy: Array

    @property
    def right(self) -> Array:
        """The gradient by differences."""
        return self.along.along(self.dy)

    @property
    def wrong(self) -> Array:
        """Which entries differ, of those that have a derivative."""
        return differing(self.given, self.right) & self.along.known


def name_mistake(gradient: Gradient, more: Iterator[Mistake]) -> str:
    """The first mistake that gives the same numbers; empty if none does.

    `more` are those of this layer alone, which take longer to try.
    """
    tried = [*_of_all(gradient)]
    for says, make in (*tried, *more, *_rough(gradient)):
        if _gives(gradient, make()):
            return says
    for says, make in tried:
        if _gives(gradient, -make()):
            return f"{SIGN}, and {says.removeprefix('it ')}"
    return _factor(gradient)


def _gives(gradient: Gradient, made: Array) -> bool:
    """Whether a mistake gives the numbers of this gradient, and is one for this layer."""
    if made.shape != gradient.given.shape or not differing(made, gradient.right).any():
        return False
    at_edge = np.isnan(made)
    if at_edge.mean() > _MOST_AT_EDGE:
        return False
    made = np.where(at_edge, gradient.given, made)
    return not (differing(gradient.given, made, 1e-5) & gradient.along.known).any()


def _of_all(gradient: Gradient) -> Iterator[Mistake]:
    right, dy, along = gradient.right, gradient.dy, gradient.along
    rows = len(dy)
    yield ZERO, lambda: np.zeros_like(right)
    yield SIGN, lambda: -right
    if right.ndim == 2:
        yield TRANSPOSED, lambda: right.T
    if right.ndim > 2:
        yield FLIPPED, lambda: right[..., ::-1, ::-1]
    if dy.shape == right.shape:
        yield UNCHANGED, lambda: dy
        yield VALUE, lambda: dy * gradient.y
    yield UNUSED, lambda: along.along(np.ones_like(dy))
    yield DIVIDED, lambda: right / rows
    yield TIMES_ROWS, lambda: right * rows
    yield FIRST_ROW, lambda: along.along(_row(dy, 0))
    yield LAST_ROW, lambda: along.along(_row(dy, rows - 1))
    yield SUMMED, lambda: np.full_like(right, right.sum())
    yield MEAN.format("entries of dy"), lambda: right / dy.size
    yield AVERAGED, lambda: np.full_like(right, right.sum() / dy.size)
    if dy.ndim > 2:
        yield MEAN.format("positions"), lambda: right / dy[0, 0].size
    if dy.shape == right.shape:
        yield PATH, lambda: right - dy
        yield DIAGONAL, lambda: dy * along.diagonal


def _rough(gradient: Gradient) -> Iterator[Mistake]:
    """Mistakes that a better name may fit, too."""
    along, dy, right = gradient.along, gradient.dy, gradient.right
    yield REPLACED, lambda: _replaced(along, dy)
    several = [(right.ndim - 2, right.ndim - 1)] if right.ndim > 2 else []
    for axes, by in product([*((axis,) for axis in range(right.ndim)), *several], (1, -1)):
        yield (
            SHIFTED.format(by, " and axis ".join(map(str, axes))),
            partial(_shifted, right, axes, by),
        )


def _shifted(right: Array, axes: tuple[int, ...], by: int) -> Array:
    """Shift the array, with NaN at the edge."""
    moved: Array = np.roll(right, by, axes)
    for axis in axes:
        np.moveaxis(moved, axis, 0)[0 if by > 0 else -1] = np.nan
    return moved


def _row(dy: Array, row: int) -> Array:
    alone = np.zeros_like(dy)
    alone[row] = dy[row]
    return alone


def _replaced(along: Jacobian, dy: Array) -> Array:
    """The part of each entry that comes from the last position of y that it reaches."""
    if dy.ndim < 3:
        return along.along(dy)
    rows, channels = dy.shape[:2]
    parts = along.values * dy.reshape(-1, 1)
    by_position = parts.reshape(rows, channels, -1, parts.shape[1]).sum(axis=(0, 1))
    reached = (
        np.abs(along.values).reshape(rows, channels, -1, parts.shape[1]).sum(axis=(0, 1)) > _REACHED
    )
    last = reached.shape[0] - 1 - reached[::-1].argmax(axis=0)
    chosen = by_position[last, np.arange(parts.shape[1])]
    found: Array = np.where(reached.any(axis=0), chosen, 0.0).reshape(along.shape)
    return found


def _factor(gradient: Gradient) -> str:
    """The mistake that all of a gradient is a multiple of the right one."""
    known = gradient.along.known
    given, right = gradient.given[known], gradient.right[known]
    square = float(right @ right)
    factor = float(given @ right) / square if square else 0.0
    if not differing(given, factor * right, 1e-5).any():
        return FACTOR.format(number(factor))
    return ""


# Mistakes that are tried by changing the layer: a transposed weight, a stride of one.

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
