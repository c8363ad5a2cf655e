"""What every engine does: carry a network through given batches, and evaluate it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nnrun.engines.sampling import Sampler
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Batches:
    """Consecutive iterations: one update for each batch.

    Iteration k trains on `rows[bounds[k]:bounds[k + 1]]` of the training split, at
    learning rate `rates[k]`.
    """

    rows: Array  # int64, all batches one after the other
    bounds: Array  # int64, (iterations + 1)
    rates: Array  # float64, (iterations)

    def __len__(self) -> int:
        return len(self.rates)


class Steps(Batches):
    """Batches that come from an order of rows and a schedule.

    An engine draws the rows itself, or reads the arrays, which takes them from the order.

    Args:
        order: its next rows are those of the first iteration.
        schedule: the learning rates.
        first: the number of the first iteration.
        total: how many the whole run has.
    """

    def __init__(
        self, order: Sampler, schedule: Schedule, *, first: int, iterations: int, total: int
    ) -> None:
        self.order = order
        self.schedule = schedule
        self.first = first
        self.iterations = iterations
        self.total = total

    def __len__(self) -> int:
        return self.iterations

    @property
    def rows(self) -> Array:
        return self._taken[0]

    @property
    def bounds(self) -> Array:
        return self._taken[1]

    @cached_property
    def rates(self) -> Array:
        return self.rates_of(0, self.iterations)

    def rates_of(self, first: int, last: int) -> Array:
        """The learning rates of some of the iterations, counted from the first of these steps."""
        steps = np.arange(self.first + first, self.first + last, dtype=np.float64)
        return self.schedule.rates(steps, self.total)

    @property
    def taken(self) -> bool:
        """Whether the arrays have been read, so that the order has moved on."""
        return "_taken" in vars(self)

    @cached_property
    def _taken(self) -> tuple[Array, Array]:
        return self.order.take(self.iterations)


# The loss over some rows and the outputs for them, with the network's weights as they are.
Evaluator = Callable[[], tuple[float, Array]]


@dataclass(frozen=True)
class Evaluations:
    """The results of evaluators, each called at every stop.

    Args:
        losses: of each evaluator, float64, (stops).
        outputs: of each, (stops, rows, *network.output_shape).
        update_seconds: what the updates took.
        evaluation_seconds: what the evaluations took.
    """

    losses: list[Array]
    outputs: list[Array]
    update_seconds: float
    evaluation_seconds: float


class Engine(ABC):
    """Updates its network and optimizer in place, and evaluates the network.

    All engines draw dropout masks from the same stream in the same order; they differ in rounding.
    """

    name: str
    x: Array
    """The rows of the training split: as they were given, or those of a copy."""

    @property
    def surroundings(self) -> dict[str, Any]:
        """How the numbers were computed, for the report: machine code, threads, kernels."""
        return {}

    @abstractmethod
    def run(self, batches: Batches, losses: Array | None = None) -> None:
        """Do one update for each batch, in order.

        Args:
            batches: the rows of each.
            losses: where the loss of each batch is written, before its update and in training
                mode, float64; needs an engine built with `losses`.
        """

    @abstractmethod
    def train_on(self, x: Array, target: Array) -> None:
        """Take other rows, of the same shape, as the training split."""

    def run_and_evaluate(
        self, steps: Steps, stops: Sequence[int], evaluators: Sequence[Evaluator]
    ) -> Evaluations | None:
        """Do all updates, with evaluations in between, in one call, if there are few.

        The bits are those of `run` up to each stop, followed by calls of the evaluators.

        Args:
            steps: the updates.
            stops: the number of updates before each evaluation; ascending, the last is all.
            evaluators: results of `evaluator`.

        Returns:
            The results; None, with nothing done, if the engine cannot or it would take long.
        """
        return None

    def evaluator(self, x: Array, target: Array) -> Evaluator:
        """A function that evaluates these rows, which must not change, with the current weights."""
        return lambda: self.evaluate(x, target)

    @abstractmethod
    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        """The mean loss over rows and the outputs for them, in evaluation mode.

        Memory besides the outputs, a new array, does not depend on the number of rows.

        Args:
            x: rows, (rows, features) or (rows, channels, height, width), in the network's dtype.
            target: in the form that the loss takes, (rows, outputs), in the network's dtype.
        """
