"""The mean loss of the batches of each epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import numpy as np

from nnrun.nn.signature import Array
from nnrun.training.early_stopping import NoImprovement


@dataclass
class LossCurve:
    """The training loss of each epoch, averaged over the losses of batches before their updates.

    Unlike the loss of a split it costs no evaluation, but each batch has other weights.

    Args:
        batches_per_epoch: iterations in one pass over the rows.
        stopping: early stopping by the losses of epochs, if any.
    """

    batches_per_epoch: int
    stopping: NoImprovement | None = None
    _means: list[float] = field(default_factory=list)
    _batches: int = 0  # of the current epoch
    _rows: int = 0
    _sum: float = 0.0

    def add(self, losses: Array, sizes: Array) -> None:
        """Add batches: the loss and the number of rows of each."""
        while len(losses):
            count = min(self.batches_per_epoch - self._batches, len(losses))
            # Summed in sequence, so that the bits do not depend on how many are added at a time.
            terms = np.append(self._sum, losses[:count] * sizes[:count])
            self._sum = float(np.cumsum(terms)[-1])
            self._rows += int(sizes[:count].sum())
            self._batches += count
            losses, sizes = losses[count:], sizes[count:]
            if self._batches == self.batches_per_epoch:
                self._end_epoch(self._sum / self._rows)

    def _end_epoch(self, mean: float) -> None:
        self._means.append(mean)
        self._batches, self._rows, self._sum = 0, 0, 0.0
        if self.stopping is not None:
            self.stopping.update(mean, len(self._means))

    @property
    def exhausted(self) -> bool:
        """Whether training should stop for lack of progress."""
        return self.stopping is not None and self.stopping.exhausted

    @property
    def batches_left(self) -> float:
        """The smallest number of further batches after which training may stop."""
        epochs = inf if self.stopping is None else self.stopping.left
        return epochs * self.batches_per_epoch - self._batches

    @property
    def values(self) -> list[float]:
        """One loss for each epoch; the last epoch may be incomplete."""
        return [*self._means, *([self._sum / self._rows] if self._rows else [])]
