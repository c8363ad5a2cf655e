"""The base class of layers' emitters."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.generated.program import Program, Row


class Emitter:
    """Writes one layer's forward and backward pass for one row.

    Args:
        tag: the layer's index in the config: w0 and b0 are the parameters of layer 0.
        needs_dx: whether a layer before this one has parameters.
    """

    y: Row
    seconds = 0.015  # that compiling a layer of this type takes, about

    def __init__(self, program: Program, layer: Any, tag: str, x: Row, needs_dx: bool) -> None:
        self.program = program
        self.layer = layer
        self.tag = tag
        self.x = x
        self.needs_dx = needs_dx
        self.plan()

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        """Why this layer cannot be compiled, as the end of "the compiled engine …"."""
        return None

    @classmethod
    def compiling(cls, layer: Any) -> float:
        """Seconds that compiling this layer takes, about."""
        return cls.seconds

    def plan(self) -> None:
        """Allocate memory and set `y`, the output row."""
        raise NotImplementedError

    def before(self) -> None:
        """Write what is done once for a batch, before its rows."""

    def forward(self) -> None:
        """Write y, computed from x."""
        raise NotImplementedError

    def backward(self, dy: Row) -> Row:
        """Write dx, computed from dy, and the parameters' gradients or updates.

        If dx is not needed, the returned value is not used.
        """
        raise NotImplementedError
