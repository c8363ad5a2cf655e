"""What every engine does: carry a network through given batches, and evaluate it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Batches:
    """A stretch of consecutive iterations.

    Iteration k of the stretch trains on `rows[bounds[k]:bounds[k + 1]]` of the training split, at
    learning rate `rates[k]`.
    """

    rows: Array  # int64, all batches one after the other
    bounds: Array  # int64, (iterations + 1)
    rates: Array  # float64, (iterations)

    def __len__(self) -> int:
        return len(self.rates)


class Engine(Protocol):
    """Updates the network and the optimizer it was made with, in place, and evaluates the network.

    Engines draw dropout masks from the same stream in the same order and differ in rounding only.
    """

    name: str

    @property
    def surroundings(self) -> dict[str, Any]:
        """What a report tells of how the numbers were made, besides the engine's name."""

    def run(self, batches: Batches, losses: Array | None = None) -> None:
        """Do one update for each batch, in order.

        Args:
            batches: the rows of each.
            losses: where the loss of each batch is written, before its update and in training
                mode, float64; of an engine that was made with `losses`.
        """

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        """The mean loss over rows and the outputs for them, in evaluation mode.

        The weights are those that the network has at the call, whoever has changed them. Besides
        the outputs, which are a new array, memory is the same for any number of rows.

        Args:
            x: rows, (rows, features) or (rows, channels, height, width), in the network's dtype.
            target: in the form that the loss takes, (rows, outputs), likewise.
        """
