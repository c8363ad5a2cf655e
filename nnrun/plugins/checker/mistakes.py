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
from nnrun.plugins.checker.derivatives import Jacobian
from nnrun.plugins.checker.findings import differing, number

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
        """By differences."""
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
    """Those that a better name may fit, too."""
    along, dy, right = gradient.along, gradient.dy, gradient.right
    yield REPLACED, lambda: _replaced(along, dy)
    several = [(right.ndim - 2, right.ndim - 1)] if right.ndim > 2 else []
    for axes, by in product([*((axis,) for axis in range(right.ndim)), *several], (1, -1)):
        yield (
            SHIFTED.format(by, " and axis ".join(map(str, axes))),
            partial(_shifted, right, axes, by),
        )


def _shifted(right: Array, axes: tuple[int, ...], by: int) -> Array:
    """With NaN at the edge."""
    moved: Array = np.roll(right, by, axes)
    for axis in axes:
        np.moveaxis(moved, axis, 0)[0 if by > 0 else -1] = np.nan
    return moved


def _row(dy: Array, row: int) -> Array:
    alone = np.zeros_like(dy)
    alone[row] = dy[row]
    return alone


def _replaced(along: Jacobian, dy: Array) -> Array:
    """Of each entry the part that comes from the last position of y that it reaches."""
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
