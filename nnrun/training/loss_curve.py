"""The losses of batches, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import numpy as np

from nnrun.nn.signature import Array
from nnrun.training.early_stopping import NoImprovement


@dataclass
class LossCurve:
    """For each epoch the mean over its rows of the loss that their batch had before its update.

    Unlike the loss over a split it costs no evaluation, but no two batches saw the same weights.

    Args:
        batches_per_epoch: iterations in one pass over the rows.
        stopping: follows the losses of whole epochs, if they can end training.
    """

    batches_per_epoch: int
    stopping: NoImprovement | None = None
    _means: list[float] = field(default_factory=list)
    _batches: int = 0  # of the epoch that has begun
    _rows: int = 0
    _sum: float = 0.0

    def add(self, losses: Array, sizes: Array) -> None:
        """Go on with some batches: the loss and the number of rows of each."""
        while len(losses):
            count = min(self.batches_per_epoch - self._batches, len(losses))
            # One after the other, so that it makes no difference how many come at a time.
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
        """Whether training ends here, for want of progress."""
        return self.stopping is not None and self.stopping.exhausted

    @property
    def batches_left(self) -> float:
        """The batches after which training may end at the earliest."""
        epochs = inf if self.stopping is None else self.stopping.left
        return epochs * self.batches_per_epoch - self._batches

    @property
    def values(self) -> list[float]:
        """One for each epoch, the last of which may not be whole."""
        return [*self._means, *([self._sum / self._rows] if self._rows else [])]
