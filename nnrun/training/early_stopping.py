"""Stopping when there is no more progress."""

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
    patience: float
    restore_best: bool
    best: float = inf
    best_iteration: int = 0
    waited: float = 0

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


@dataclass
class NoImprovement(EarlyStopping):
    """Counts epochs in a row that gained less than `tolerance`, as scikit-learn's networks do.

    Training stops after more than `patience` of them. A gain is measured from the best number ever,
    which any gain replaces, however small. `patience` may be infinite.
    """

    tolerance: float = 0.0

    def update(self, value: float, iteration: int) -> bool:
        cost = -value if self.larger_is_better else value
        self.waited = self.waited + 1 if cost > self.best - self.tolerance else 0
        if cost < self.best:
            self.best, self.best_iteration = cost, iteration
            return True
        return False

    @property
    def exhausted(self) -> bool:
        return self.waited > self.patience

    @property
    def left(self) -> float:
        """The epochs after which it may be exhausted at the earliest."""
        return max(self.patience + 1 - self.waited, 1)
