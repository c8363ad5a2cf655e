"""When training stops before its end: divergence, early stopping, and the curve that both look at.

Numbers that are not finite are divergence at any evaluation. Finite numbers are judged once, by
the weights at the end: a loss that rises can fall again. The rules rest on 3,848 runs: the shipped
configs at 0.001 to 1,000 times their learning rates, and networks of 13 units on seven data sets
(raw, standardised, minmax; four activations; SGD, momentum, Adam; learning rates of 1e-5 to 10;
batches of 1 and 32).

- Of 684 regressions that beat the mean, however narrowly, none ended with a loss above its first
  one; one had been 336,000 times above in between. So a run that ends `LOSS_FACTOR` times above is
  of no use; the factor leaves two orders of magnitude for noise, such as the heavy tail of
  row-by-row steps. Of 493 that did not beat the mean, 25 ended between 1 and 100 times above: they
  get the warning that they are worse than the baseline.
- Classifiers that made less than half the baseline's errors ended at 5, 100, 6,000, even 1e297
  times their first loss: after steps that are too long the right class is mostly in front, and
  wrong predictions are extremely confident. They count as diverged only if the first loss is below
  the rounding error of the last one; before that their probabilities are worthless, which is a
  warning.
- One network ended with an accuracy of 0.97 and with weights of 1e72. So large weights alone prove
  nothing; they count only together with a loss no better than the baseline's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from sys import float_info
from typing import Literal

import numpy as np

from nnrun.metrics.table import LOSS, bounds_of
from nnrun.models.scores import measured
from nnrun.models.task import Classification, Task
from nnrun.nn.layer import Parameter
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array
from nnrun.training.state import PreparedSplit

# The largest loss that a run may end with, as a multiple of the loss that it began with.
LOSS_FACTOR = 100.0

Cause = Literal["not_finite", "loss", "weights"]


@dataclass(frozen=True)
class Divergence:
    """Iteration and way in which a run diverged."""

    iteration: int  # of the update that went wrong, counted from 1
    parameter: str | None  # `<layer>.<name>`; None if only the loss shows the divergence
    # Losses are those of the training split. None if it was never finite.
    last_good_loss: float | None
    last_good_iteration: int
    cause: Cause = "not_finite"
    began: float | None = None  # the loss that the bound is a multiple of (see `Bounds`)
    loss: float | None = None  # at the end; None if it is not finite
    largest_weight: float | None = None  # likewise
    # The optimizer's array that is not finite, such as `square`; None if the parameter itself, or
    # nothing but the loss, shows the divergence.
    memory: str | None = None


@dataclass(frozen=True)
class Bounds:
    """The limits within which a run has to end.

    Args:
        began: the loss of the initial weights, or that of always predicting the mean of the
            targets, whichever is larger. (An initial loss may be tiny by luck; one that is huge,
            since nothing is scaled, is a fair measure.)
        baseline: the loss of always predicting the mean; below it weights have no limit.
        weight: the largest absolute value that a parameter may have.
        precision: 1/ε. A number smaller than another by this factor is lost when they are added.
    """

    began: float
    baseline: float
    weight: float
    precision: float

    @classmethod
    def of(cls, first_loss: float, baseline: float, network: Network, target: Array) -> Bounds:
        """The bounds of a run, from its initial weights and its training targets.

        The limit for weights is the largest of the initial weights, the targets and 1, times 1/ε:
        beyond it all of these are lost in sums with the weight.
        """
        began = max(first_loss, baseline) if np.isfinite(first_loss) else baseline
        precision = 1 / float(np.finfo(network.dtype).eps)
        scale = max(1.0, _largest(network.theta), _largest(target))
        return cls(began, baseline, scale * precision, precision)

    def broken_by(
        self, loss: float, arrays: Mapping[str, Array], learned: Callable[[], bool]
    ) -> Cause | None:
        """Why this state has diverged; None if it has not.

        Args:
            loss: on the training split.
            arrays: those that updates change: the parameters `theta`, and the optimizer's. One that
                keeps squares of gradients makes no more steps once these overflow, while the
                weights stay finite.
            learned: whether the network classifies well, regardless of its loss.
        """
        if not (isfinite(loss) and all_finite(arrays)):
            return "not_finite"
        theta = arrays["theta"]
        if loss > LOSS_FACTOR * self.began and not (
            loss < self.precision * self.began and learned()
        ):
            return "loss"
        if loss >= self.baseline and _largest(theta) > self.weight:
            return "weights"
        return None


def all_finite(arrays: Mapping[str, Array]) -> bool:
    """Whether every number of every array is finite."""
    return all(np.isfinite(array).all() for array in arrays.values())


def culprit(network: Network, optimizer: Optimizer, cause: Cause) -> tuple[str | None, str | None]:
    """What shows the divergence: the name of a parameter or buffer, and of an optimizer's array.

    The second is None unless the parameter itself is finite. If weights are too large, the
    parameter is the one with the largest.
    """
    parameters = network.parameters
    if cause == "loss":
        return None, None
    if cause == "weights":
        return max(parameters, key=lambda name: _largest(parameters[name].value)), None
    named = {name: parameter.value for name, parameter in parameters.items()} | network.buffers
    for name, array in named.items():
        if not np.isfinite(array).all():
            return name, None
    for memory, array in optimizer.vectors.items():
        if not np.isfinite(array).all():
            return _owner(parameters, int(np.isfinite(array).argmin())), memory
    return None, None


def _owner(parameters: Mapping[str, Parameter], position: int) -> str:
    """The parameter that has this position in theta."""
    ends = np.cumsum([parameter.size for parameter in parameters.values()])
    return list(parameters)[int(np.searchsorted(ends, position, side="right"))]


def _largest(array: Array) -> float:
    return float(np.abs(array).max()) if array.size else 0.0


# Early stopping, when training makes no more progress, and the metric that it follows.


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
        """Column of the history."""
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


# The mean loss of the batches of each epoch.


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
