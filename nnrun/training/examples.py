"""The rows that a network is trained on and evaluated on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from nnrun.nn.losses.weighted import join_weights
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class PreparedSplit:
    """One split, ready for the network.

    Args:
        x: preprocessed rows, in the network's dtype.
        target: targets as numbers, in the network's dtype: one for each output.
        y: class numbers, or targets in their original units.
        weight: of each row in the loss, their mean 1, in the network's dtype; None for no weights.
        sample_weight: of each row in metrics: as in the column, without that of its class.
    """

    x: Array
    target: Array
    y: Array
    weight: Array | None = None
    sample_weight: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def head(self, rows: int) -> PreparedSplit:
        """The first rows."""
        weights = (self.weight, self.sample_weight)
        cut = (None if weight is None else weight[:rows] for weight in weights)
        return PreparedSplit(self.x[:rows], self.target[:rows], self.y[:rows], *cut)

    def part(self, rows: Array) -> PreparedSplit:
        """These rows, with weights whose mean is 1 again."""
        weight = None if self.weight is None else self.weight[rows]
        return PreparedSplit(
            x=self.x[rows],
            target=self.target[rows],
            y=self.y[rows],
            weight=None if weight is None else weight / (weight.mean() or 1),
            sample_weight=None if self.sample_weight is None else self.sample_weight[rows],
        )

    @property
    def counts(self) -> bool:
        """Whether rows have no weights, or some have one above 0."""
        weights = (self.weight, self.sample_weight)
        return all(weight is None or bool(weight.any()) for weight in weights)

    @cached_property
    def loss_target(self) -> Array:
        """Targets in the form that the loss takes: with the rows' weights, if they have any."""
        return self.target if self.weight is None else join_weights(self.target, self.weight)
