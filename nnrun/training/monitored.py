"""A metric of the validation split that early stopping follows."""

from __future__ import annotations

from dataclasses import dataclass
from sys import float_info

from nnrun.metrics.table import LOSS, bounds_of
from nnrun.models.scores import measured
from nnrun.models.task import Classification, Task
from nnrun.nn.signature import Array
from nnrun.training.early_stopping import EarlyStopping
from nnrun.training.examples import PreparedSplit

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
        return str(found.get("undefined", {}).get(self.name, "there is a single row"))


def monitored_metric(task: Task, stopping: EarlyStopping | None) -> MonitoredMetric | None:
    """The metric that early stopping follows; None where the history has it in any case."""
    usual = (LOSS, "accuracy" if isinstance(task, Classification) else "mse")
    if stopping is None or stopping.monitor in {f"{VALIDATION}_{name}" for name in usual}:
        return None
    name = stopping.monitor.removeprefix(f"{VALIDATION}_")
    return MonitoredMetric(task, name, stopping.larger_is_better)
