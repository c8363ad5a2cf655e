"""Losses and outputs over whole splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.models.chunks import chunk_rows
from nnrun.nn.network import Network
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Examples:
    """One split, ready for the network.

    Args:
        x: preprocessed rows, in the network's dtype.
        target: targets in the form the loss takes, likewise.
        y: class numbers, or targets in their own units.
    """

    x: Array
    target: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)

    def head(self, rows: int) -> Examples:
        """The first rows."""
        return Examples(self.x[:rows], self.target[:rows], self.y[:rows])


def evaluate(network: Network, part: Examples) -> tuple[float, Array]:
    """The mean loss over a split and the outputs for its rows, in evaluation mode."""
    step = chunk_rows(network)
    outputs = np.empty((len(part), *network.output_shape), network.dtype)
    total = 0.0
    with np.errstate(all="ignore"):
        for start in range(0, len(part), step):
            chunk = slice(start, min(start + step, len(part)))
            loss, outputs[chunk] = network.evaluate(part.x[chunk], part.target[chunk])
            total += loss * (chunk.stop - chunk.start)
    return total / len(part), outputs
