"""The rows that a network is trained on and evaluated on."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.nn.signature import Array


@dataclass(frozen=True)
class PreparedSplit:
    """One split, ready for the network.

    Args:
        x: preprocessed rows, in the network's dtype.
        target: targets in the form that the loss takes, in the network's dtype.
        y: class numbers, or targets in their original units.
    """

    x: Array
    target: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)

    def head(self, rows: int) -> PreparedSplit:
        """The first rows."""
        return PreparedSplit(self.x[:rows], self.target[:rows], self.y[:rows])
