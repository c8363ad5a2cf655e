"""Early stopping: when training makes no more progress."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass
class EarlyStopping:
    """Counts the evaluations since the best value of a monitored metric.

    Args:
        monitor: a column of the history, such as `validation_loss`.
        larger_is_better: the direction of the metric.
        patience: training stops after this many evaluations without improvement.
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
        """Count an evaluation; return whether its value is the best so far."""
        cost = -value if self.larger_is_better else value
        if cost < self.best:
            self.best, self.best_iteration, self.waited = cost, iteration, 0
            return True
        self.waited += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether training should stop."""
        return self.waited >= self.patience


@dataclass
class NoImprovement(EarlyStopping):
    """Counts consecutive epochs that improve by less than `tolerance`, as in scikit-learn's MLPs.

    Training stops after more than `patience` of them; `patience` may be infinite. Improvement is
    measured from the best value so far, which any better value replaces.
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
        """The smallest number of further epochs after which training may stop."""
        return max(self.patience + 1 - self.waited, 1)
