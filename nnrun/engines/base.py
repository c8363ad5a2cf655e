"""What every engine does: draw rows, carry a network through batches, clip, evaluate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np

from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Array, Rng

# Gradients that are scaled down to a length, also where their squares leave the range of numbers.
#
# Σ g² is computed as it is, and as Σ (g / unit)² where it overflows or squares are lost to
# underflow. The unit is a power of two, so that dividing by it rounds nothing. The gradient is
# divided by it too before it is scaled: limit / length itself can be too small for a number. Blue,
# ACM Transactions on Mathematical Software 4 (1978).


class Units(NamedTuple):
    """Which sums of squares are computed again, and in which unit.

    Args:
        most: a sum above it has overflowed, or may do so when parts of it are added up.
        large: the unit for those.
        least: in a sum below it, squares that are lost to underflow matter.
        small: the unit for those.
    """

    most: float
    large: float
    least: float
    small: float


# With these units no square overflows, nor do sums of 2³⁰ of them; what underflows is beyond the
# last digit of the sum.
UNITS = {
    "float64": Units(most=2.0**990, large=2.0**600, least=2.0**-900, small=2.0**-600),
    "float32": Units(most=2.0**90, large=2.0**80, least=2.0**-80, small=2.0**-100),
}


def clip(gradient: Array, limit: float) -> None:
    """Scale a gradient that is longer than the limit (Euclidean) down to it, in place.

    Pascanu, Mikolov and Bengio, ICML 2013.
    """
    squares, unit, scaled = float(np.dot(gradient, gradient)), 1.0, gradient
    units = UNITS[gradient.dtype.name]
    if squares > units.most:
        unit = units.large
    elif squares < units.least:
        unit = units.small
    if unit != 1:
        scaled = gradient * (1 / unit)
        squares = float(np.dot(scaled, scaled))
    length = sqrt(squares)
    if length > limit / unit:
        np.multiply(scaled, limit / length, out=gradient)


# The order in which training visits the rows.

# Rows drawn in one call when sampling with replacement.
_DRAWN_ROWS = 16_384
# The largest number of iterations whose rows are drawn in one call.
MOST_ITERATIONS = 1 << 18


def batches_per_epoch(rows: int, batch_size: int) -> int:
    """Iterations in one pass over the rows."""
    return ceil(rows / batch_size)


class Sampler:
    """The rows of each batch, drawn block by block.

    With `shuffle` a block is an epoch: every row once, in a new order; the last batch may be
    smaller. With `in_order` it is an epoch too, with the rows in the order of the split. With
    `with_replacement` each row is drawn independently. The rows of an iteration do not depend on
    how many iterations are taken at a time, nor on whether the state was saved and restored.
    """

    def __init__(self, rows: int, batch_size: int, sampling: str, *, rng: Rng) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.sampling = sampling
        self.rng = rng
        drawn = max(1, _DRAWN_ROWS // batch_size) * batch_size
        self.block_rows = drawn if sampling == "with_replacement" else rows
        self._stream = rng.bit_generator.state  # before the block was drawn
        self._used = 0  # batches of the block that have been taken
        self._block: Array | None = None  # not drawn yet
        self._batches = ceil(self.block_rows / batch_size)

    @cached_property
    def _bounds(self) -> Array:
        """The bounds of a block's batches, on first use: engines may draw rows themselves."""
        return np.append(np.arange(0, self.block_rows, self.batch_size), self.block_rows)

    @property
    def batches_per_epoch(self) -> int:
        """Iterations in one pass over the rows."""
        return batches_per_epoch(self.rows, self.batch_size)

    def take(self, iterations: int) -> tuple[Array, Array]:
        """The rows of the next iterations and the bounds of their batches (see `Batches`)."""
        rows: list[Array] = []
        sizes: list[Array] = []
        if self._block is None:
            self.rng.bit_generator.state = self._stream
        block = self._draw() if self._block is None else self._block
        while iterations:
            if self._used == self._batches:
                self._stream, self._used = self.rng.bit_generator.state, 0
                block = self._draw()
            end = min(self._used + iterations, self._batches)
            bounds = self._bounds[self._used : end + 1]
            rows.append(block[bounds[0] : bounds[-1]])
            sizes.append(np.diff(bounds))
            iterations -= end - self._used
            self._used = end
        return np.concatenate(rows), np.concatenate([[0], np.cumsum(np.concatenate(sizes))])

    def state(self) -> dict[str, Any]:
        """The current state as plain values."""
        return {"stream": self._stream, "used": self._used}

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a saved state.

        Raises:
            ValueError: it is not a state of such a sampler.
        """
        used = state["used"]
        if type(used) is not int or not 0 <= used <= self._batches:
            raise ValueError(f"a block has no {used} batches")
        self.rng.bit_generator.state = state["stream"]
        self.move_to({"stream": self.rng.bit_generator.state, "used": used})

    def move_to(self, state: dict[str, Any]) -> None:
        """Go to a state without checking it; the generator follows when a block is drawn."""
        self._stream, self._used = state["stream"], state["used"]
        self._block = None

    def _draw(self) -> Array:
        if self.sampling == "shuffle":
            self._block = self.rng.permutation(self.rows)
        elif self.sampling == "in_order":
            self._block = np.arange(self.rows)
        else:
            self._block = self.rng.integers(self.rows, size=self.block_rows)
        return self._block


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
