"""What all emitters of layers share."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.generated.program import Program
from nnrun.engines.compiled.generated.row import Row


class Emitter:
    """Writes one layer's forward and backward pass for one row.

    Args:
        program: what is written to.
        layer: of the network.
        tag: the layer's index in the config: w0 and b0 are the parameters of layer 0.
        x: the row that comes in.
        needs_dx: whether a layer before this one has parameters.
    """

    y: Row
    seconds = 0.015  # that compiling a layer of this type takes, about
    batch_dependent = False  # whether it has to see all rows of a batch at once

    def __init__(self, program: Program, layer: Any, tag: str, x: Row, needs_dx: bool) -> None:
        self.program = program
        self.layer = layer
        self.tag = tag
        self.x = x
        self.needs_dx = needs_dx
        self.plan()

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        """What of this layer cannot be compiled, as the end of "the compiled engine …"."""
        return None

    @classmethod
    def compiling(cls, layer: Any) -> float:
        """Seconds that compiling this layer takes, about."""
        return cls.seconds

    def plan(self) -> None:
        """Take memory and decide what `y`, the row that goes out, is."""
        raise NotImplementedError

    def before(self) -> None:
        """Write what is done once for a batch, before its rows. Mostly nothing."""

    def prepare(self) -> None:
        """Write what is done for each row before `across`."""

    def across(self) -> None:
        """Write what needs all rows of the batch, between the rows' passes. Mostly nothing."""

    def across_backward(self, dy: Row) -> None:
        """Likewise on the way back."""

    def forward(self) -> None:
        """Write the statements that make y from x."""
        raise NotImplementedError

    def backward(self, dy: Row) -> Row:
        """Write the statements that make dx from dy, and use the parameters' gradients.

        Where dx is not needed, what is returned is not used.
        """
        raise NotImplementedError
