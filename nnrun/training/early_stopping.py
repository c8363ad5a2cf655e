"""Early stopping, when training makes no more progress, and the metric that it follows."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from sys import float_info

from nnrun.metrics.table import LOSS, bounds_of
from nnrun.models.measured import measured
from nnrun.models.task import Classification, Task
from nnrun.nn.signature import Array
from nnrun.training.examples import PreparedSplit


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


VALIDATION = "validation"


@dataclass(frozen=True)
class MonitoredMetric:
    """A metric that the history has only because early stopping follows it.

    Args:
        task: what outputs mean.
        name: of the metric.
        larger_is_better: its direction.
    """

    task: Task
    name: str
    larger_is_better: bool

    @property
    def column(self) -> str:
        """Of the history."""
        return f"{VALIDATION}_{self.name}"

    def value(self, outputs: Array, y: Array, weight: Array | None) -> float:
        """The metric of the validation split; the worst that it can be where it is undefined."""
        value = measured(self.task, outputs, y, [self.name], weight)[self.name]
        if value is not None:
            return float(value)
        low, high = bounds_of(self.name)
        most = float_info.max  # checkpoints hold finite numbers
        return max(low, -most) if self.larger_is_better else min(high, most)

    def undefined(self, part: PreparedSplit) -> str:
        """Why it is undefined for these rows, even of perfect predictions; empty if it is not."""
        found = measured(self.task, part.target, part.y, [self.name], part.sample_weight)
        if found[self.name] is not None:
            return ""
        return str(found["undefined"][self.name])


def monitored_metric(task: Task, stopping: EarlyStopping | None) -> MonitoredMetric | None:
    """The metric that early stopping follows; None where the history has it in any case."""
    usual = (LOSS, "accuracy" if isinstance(task, Classification) else "mse")
    if stopping is None or stopping.monitor in {f"{VALIDATION}_{name}" for name in usual}:
        return None
    name = stopping.monitor.removeprefix(f"{VALIDATION}_")
    return MonitoredMetric(task, name, stopping.larger_is_better)
