"""Derivatives by differences: every output along every input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnrun.nn.signature import Array

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
