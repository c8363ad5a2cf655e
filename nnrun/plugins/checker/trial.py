"""A layer that is tried: made with its arguments for rows of a shape, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from inspect import Parameter as Argument
from inspect import signature
from typing import Any

import numpy as np

from nnrun.nn.layer import Layer
from nnrun.nn.signature import Array, Shape
from nnrun.plugins.checker.findings import Failed, shape_words
from nnrun.plugins.checker.own_mistakes import without_stride
from nnrun.plugins.checker.subject import Subject
from nnrun.plugins.entries import layer_entry
from nnrun.plugins.part import Part


@dataclass(frozen=True)
class Trial:
    """A part with its arguments."""

    part: Part
    arguments: dict[str, Any]

    @property
    def defaults(self) -> dict[str, Any]:
        """Of the arguments that have one."""
        known = signature(self.part.entry).parameters.values()
        return {one.name: one.default for one in known if one.default is not Argument.empty}

    def build(self, **changes: Any) -> Callable[[], Layer | list[Layer]]:
        """Makes the layer, or the layers of the block."""
        arguments = {**self.arguments, **changes}
        made = layer_entry(self.part)
        return lambda: made(**deepcopy(arguments))  # which may hold layers

    def subject(self, shape: Shape, dtype: Any = np.float64) -> Subject:
        """The layer for rows of this shape."""
        return Subject(self.build(), shape, dtype)

    def plain(self, shape: Shape) -> Subject | None:
        """The same layer with a stride of one, and the same weights; None if it has no stride."""
        arguments = without_stride(self.arguments, self.defaults)
        return None if arguments is None else Subject(self.build(**arguments), shape)


def backward(subject: Subject, dy: Array, x: Array) -> Array:
    """dL/dx, of x's shape.

    Raises: Failed if it is not.
    """
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
