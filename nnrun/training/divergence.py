"""When training has gone astray: what a run must end within, and what is told of one that has not.

Numbers that are not finite are divergence at any evaluation. Numbers that are finite are judged
once, by the weights that training ends with: a loss that rises can come back. What follows rests
on 3,848 runs: the shipped configs at 0.001 to 1,000 times their learning rates, and
networks of 13 units on seven data sets (raw, standardised, minmax; four activations; SGD, momentum,
Adam; learning rates of 1e-5 to 10; batches of 1 and 32).

- Of 684 regressions that beat the mean, were it by a hair, none ended above where it had begun; one
  had been 336,000 times above on the way. So one that ends `LOSS_FACTOR` times above is of no use,
  with two orders of magnitude to spare for noise, such as the heavy tail of row-by-row steps. Of
  493 that did not beat it 25 ended between 1 and 100 times: they are told that they are worse.
- Classifiers that made less than half the baseline's errors ended at 5, 100, 6,000, even 1e297
  times the loss they had begun with: steps that are too long leave the right class in front, and
  the wrong ones beyond any doubt. They count as diverged only where what they began with is lost
  to rounding; before that their probabilities are worthless, which is a warning.
- One network ended with an accuracy of 0.97 and with weights of 1e72.
  Hence weights alone prove nothing: only with a loss that is no better than the baseline's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from nnrun.nn.layer import Parameter
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array

# Where a run may end, in units of where it began.
LOSS_FACTOR = 100.0

Cause = Literal["not_finite", "loss", "weights"]


@dataclass(frozen=True)
class Divergence:
    """Where and how training went astray."""

    iteration: int  # the first update after which it had
    parameter: str | None  # `<layer>.<name>`; None where only the loss shows it
    # On the training split, as are the other losses; None where it was never finite.
    last_good_loss: float | None
    last_good_iteration: int
    cause: Cause = "not_finite"
    began: float | None = None  # the loss that the bound was taken from (see `Bounds`)
    loss: float | None = None  # at the end; None where it is not finite
    largest_weight: float | None = None  # likewise
    # The optimizer's array that is not finite, such as `square`; None if the parameter itself, or
    # nothing but the loss, shows the divergence.
    memory: str | None = None


@dataclass(frozen=True)
class Bounds:
    """What a run has to end within, for its numbers to mean anything.

    Args:
        began: the loss that training began from: that of the initial weights, or of always
            predicting the mean of the targets, whichever is larger. An initial loss that is tiny
            by luck is no measure, and one that is huge for want of scaling is.
        baseline: the loss of always predicting the mean. Below it, weights may be what they like.
        weight: the largest size that a parameter may have.
        precision: 1/ε. What is smaller by this factor than another number is lost beside it.
    """

    began: float
    baseline: float
    weight: float
    precision: float

    @classmethod
    def of(cls, first_loss: float, baseline: float, network: Network, target: Array) -> Bounds:
        """The bounds of a run, from its initial weights and its training targets.

        A weight has left the useful range where all that it began among (initial weights, targets,
        1) is lost beside it.
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
            learned: whether the network classifies well, whatever its loss.
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
    for memory, array in optimizer.state.items():
        if not np.isfinite(array).all():
            return _owner(parameters, int(np.isfinite(array).argmin())), memory
    return None, None


def _owner(parameters: Mapping[str, Parameter], position: int) -> str:
    """The parameter that has this position in theta."""
    ends = np.cumsum([parameter.size for parameter in parameters.values()])
    return list(parameters)[int(np.searchsorted(ends, position, side="right"))]


def _largest(array: Array) -> float:
    return float(np.abs(array).max()) if array.size else 0.0
