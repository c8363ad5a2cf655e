"""Stopping when the validation split no longer gains."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass
class EarlyStopping:
    """Counts evaluations since the monitored number was last better than ever before.

    Args:
        monitor: a column of the history, such as `validation_loss`.
        larger_is_better: its direction.
        patience: evaluations without gain after which training stops.
        restore_best: whether training ends with the weights of the best evaluation.
    """

    monitor: str
    larger_is_better: bool
    patience: int
    restore_best: bool
    best: float = inf
    best_iteration: int = 0
    waited: int = 0

    def update(self, value: float, iteration: int) -> bool:
        """Take the number of an evaluation; say whether it is the best so far."""
        cost = -value if self.larger_is_better else value
        if cost < self.best:
            self.best, self.best_iteration, self.waited = cost, iteration, 0
            return True
        self.waited += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether to stop."""
        return self.waited >= self.patience
