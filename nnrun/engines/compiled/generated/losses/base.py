"""What all emitters of losses share."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.generated.layers.activation import total
from nnrun.engines.compiled.generated.program import Program
from nnrun.engines.compiled.generated.row import Row


class Loss:
    """Writes the loss of one row, its gradient, and what the network puts out.

    Args:
        program: what is written to.
        loss: of the network.
        y: what reaches the loss; the row's targets are called t.
    """

    over_outputs = False  # whether it is a mean over the outputs of a row, and not their sum

    def __init__(self, program: Program, loss: Any, y: Row) -> None:
        self.program = program
        self.loss = loss
        self.y = y
        self.parts = y.size if self.over_outputs else 1

    def prepare(self) -> None:
        """Write what value, gradient and outputs have in common. Mostly nothing."""

    def value(self) -> None:
        """Write `cost`: the sum over the outputs, of which `parts` are one loss."""
        total(self.program, "cost", self.y.size, self.term)

    def term(self, index: int | str) -> str:
        """What one output adds to `cost`."""
        raise NotImplementedError

    def output(self, index: int | str) -> str:
        """What the network puts out: y, or what its head makes of y."""
        return self.y.at(index)

    def gradient(self, dy: Row) -> None:
        """Write the statements that make dy."""
        raise NotImplementedError
