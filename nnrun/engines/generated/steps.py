"""Steps whose rows compiled code draws, with evaluations in between if requested.

The rows are the same as the sampler's, to the bit: compiled code continues from the sampler's
state, and sets it at the end. The driver draws the rows of a block when the block begins. But with
single rows drawn with replacement and weights changed in place, the generated function draws one
row of the next block with each update, while the processor waits for the update's numbers. (Without
these lines in its loop, LLVM makes another loop of it, and updates of W3 take 20% longer.)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from nnrun.compiler.arguments import ARGUMENTS, NUMBER
from nnrun.engines import allocation
from nnrun.engines.base import Evaluations, Sampler, Steps
from nnrun.engines.generated.generate import Blocks
from nnrun.engines.kernels import DRIVE
from nnrun.engines.kernels import stream_fields as at
from nnrun.engines.kernels.load import addresses
from nnrun.nn.network import chunk_rows
from nnrun.nn.schedules import Constant
from nnrun.nn.signature import Array, Rng

if TYPE_CHECKING:
    from nnrun.compiler.machine import Function


# Evaluation by a generated function: the loss over rows, and the outputs for them.

# Rows of a batch in evaluation, unless the function takes single rows.
_TOGETHER = 64
_VALUES = NUMBER["values"]


def arguments_for(blocks: Blocks, **given: Array | int) -> list[int]:
    """The generated function's arguments in order, 0 if not given.

    The caller keeps the arrays alive.
    """
    given |= {"steps": blocks.optimizer.steps, **blocks.addresses}
    return [
        found if isinstance(found := given.get(name, 0), int) else allocation.address(found)
        for name in ARGUMENTS
    ]


class Evaluation:
    """Evaluates a network in portions of rows.

    Args:
        arrange: copies rows into the function's layout.
        single: whether it takes one row at a time.
    """

    def __init__(
        self, blocks: Blocks, function: Function, arrange: Callable[[Array], Array], single: bool
    ) -> None:
        self.blocks = blocks
        self.function = function
        self.arrange = arrange
        self.portion = chunk_rows(blocks.network)
        self.together = 1 if single else min(self.portion, _TOGETHER)
        self.counted = allocation.given(np.arange(self.portion + 1), np.int64)
        self._no_rates = allocation.zeros(self.portion, np.float64)
        self.always = {
            "rows": allocation.address(self.counted),
            "rates": allocation.address(self._no_rates),
            "evaluating": 1,
        }

    def of(self, x: Array, target: Array, inputs: Array | None = None) -> RowsEvaluator:
        """An evaluator of these rows (see `Engine.evaluator`).

        `inputs` are the rows in the function's layout, if they exist already.
        """
        network = self.blocks.network
        target = allocation.given(target.reshape(len(x), -1), network.dtype)
        # Machine code checks no bounds.
        if x.shape[1:] != network.input_shape or target.size != len(x) * network.target_size:
            raise ValueError("rows and targets are not of the network's shapes")
        return RowsEvaluator(self, x, target, inputs)


class RowsEvaluator:
    """Evaluates the same rows at each call."""

    def __init__(
        self, evaluation: Evaluation, x: Array, target: Array, inputs: Array | None
    ) -> None:
        self._evaluation = evaluation
        self._x = x
        self._target = target
        self._inputs = inputs
        size, rows = evaluation.portion, len(x)
        self._parts = [slice(at, min(at + size, rows)) for at in range(0, rows, size)]
        self._kept: Portion | None = None

    def __call__(self) -> tuple[float, Array]:
        blocks, rows = self._evaluation.blocks, len(self._x)
        blocks.gather()
        outputs = np.empty((rows, *blocks.network.output_shape), blocks.network.dtype)
        if self.whole and self._kept is None:
            self._kept = self._portion(self._parts[0])
        total = 0.0
        for part in self._parts:
            total += (self._kept or self._portion(part)).evaluate(outputs[part])
        return total / rows, outputs

    def __len__(self) -> int:
        return len(self._x)

    @property
    def whole(self) -> bool:
        """Whether one call evaluates all rows."""
        return len(self._parts) == 1

    def repeated(self, times: int) -> Portion:
        """All rows for `times` evaluations; only if one call evaluates all rows."""
        (part,) = self._parts
        return self._portion(part, times)

    def _portion(self, part: slice, times: int = 1) -> Portion:
        x, target = self._x[part], self._target[part]
        inputs = self._evaluation.arrange(x) if self._inputs is None else self._inputs[part]
        return Portion(self._evaluation, inputs, target, times)


class Portion:
    """Rows that one call evaluates, with the arguments of the call, built once.

    Args:
        times: the number of evaluations, each one call.
    """

    def __init__(self, evaluation: Evaluation, inputs: Array, target: Array, times: int) -> None:
        self._blocks, self._function = evaluation.blocks, evaluation.function
        self.rows = len(inputs)
        network, together = self._blocks.network, evaluation.together
        bounds = evaluation.counted[: len(inputs) + 1]
        if together > 1:
            bounds = allocation.given(np.append(bounds[:-1:together], len(inputs)), np.int64)
        self._sizes = np.diff(bounds) if together > 1 else None
        shape = (times, len(inputs), *network.output_shape)
        losses = allocation.unwritten(times * (len(bounds) - 1), np.float64)
        self._losses = losses.reshape(times, -1)
        self.outputs = allocation.unwritten(prod(shape), network.dtype).reshape(shape)
        self._arrays = {
            "inputs": inputs,
            "targets": target,
            "bounds": bounds,
            "outputs": self.outputs,
            "losses": self._losses,
        }
        self._arguments = arguments_for(
            self._blocks, count=len(bounds) - 1, **evaluation.always, **self._arrays
        )

    def evaluate(self, outputs: Array) -> float:
        """Evaluate once: the sum of the losses; the outputs are copied to `outputs`."""
        self._arguments[_VALUES] = self._blocks.values_address
        self._function(*self._arguments)
        outputs[...] = self.outputs[0]
        return float(self.sums()[0])

    @property
    def table(self) -> list[int]:
        """The driver's table for these evaluations (see `stream_fields`)."""
        return [*self._arguments, self.outputs[0].nbytes]

    def sums(self) -> Array:
        """Sum of the losses at each evaluation."""
        with np.errstate(over="ignore"):
            losses = self._losses if self._sizes is None else self._losses * self._sizes
            # Not a dot product: the order of a BLAS' sums is not fixed.
            sums: Array = np.add.reduce(losses, axis=1)
        return sums


_DRIVE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
_HALF_STATE = (1 << 64) - 1


class Sampling:
    """The fields, for one order of rows.

    Args:
        together: whether the function draws rows.
        drawn: random numbers that dropout takes for a row.
    """

    def __init__(self, order: Sampler, function: int, together: bool, drawn: int) -> None:
        self.order = order
        self.batch = order.batch_size
        self.size = order.block_rows
        self.fields = allocation.zeros(at.FIELDS, np.uint64)
        bounds = np.arange(0, (at.PIECE + 1) * self.batch, self.batch)
        self.bounds = allocation.given(bounds, np.int64)
        self._blocks = [allocation.unwritten(self.size, np.int64) for _ in range(2)]
        kind = at.SAMPLINGS.index(order.sampling)
        if kind == at.IN_ORDER:
            self._blocks[0][...] = np.arange(self.size)
        elif order.rows == 1:  # there is nothing to draw
            for block in self._blocks:
                block[...] = 0
        fields = self.fields
        fields[[at.BLOCK, at.NEXT]] = [*map(allocation.address, self._blocks)]
        fields[at.SIZE], fields[at.SAMPLING], fields[at.BATCH] = self.size, kind, self.batch
        fields[at.BOUND], fields[at.FUNCTION], fields[at.DRAWN] = order.rows, function, drawn
        fields[at.TOGETHER] = together and kind == at.WITH_REPLACEMENT
        self._drive = _DRIVE(addresses([DRIVE], "float64")[DRIVE])
        self._place = allocation.address(fields)
        self._stop = allocation.zeros(1, np.int64)
        self._stop_place = allocation.address(self._stop)
        self._left: dict[str, Any] | None = None

    @staticmethod
    def fits(steps: Steps) -> bool:
        """Whether compiled code can draw these rows."""
        order = steps.order
        generator = order.state()["stream"]["bit_generator"]
        return not steps.taken and generator == "PCG64" and order.rows < 1 << 32

    def take_over(self) -> int:
        """Take over the order's state; returns the used batches of its block."""
        state = self.order.state()
        taken = int(state["used"])
        if state == self._left:
            return taken
        stream, fields = state["stream"], self.fields
        for first, number in ((at.STATE, "state"), (at.INCREMENT, "inc")):
            whole = stream["state"][number]
            fields[first], fields[first + 1] = whole & _HALF_STATE, whole >> 64
        fields[at.FULL], fields[at.HALF] = stream["has_uint32"], stream["uinteger"]
        fields[at.NEXT_STREAM : at.NEXT_STREAM + at.STREAM] = fields[: at.STREAM]
        # As at the end of a block, whose rows are not needed.
        fields[at.USED], fields[at.AHEAD] = self.size, 0
        fields[at.SKIP] = min(taken * self.batch, self.size)
        return taken

    def run(self, table: int, iterations: int) -> None:
        """Make this many updates."""
        self._stop[0] = iterations
        self._drive(self._place, table, self._stop_place, 1)

    def run_and_evaluate(self, table: int, stops: Array, evaluations: Array) -> tuple[float, float]:
        """Make updates up to one stop after the other, with evaluations at each.

        Args:
            table: as for `run`.
            stops: int64, how many updates there are before each, since the one before.
            evaluations: int64, the tables that the driver takes for them (see `stream_fields`).

        Returns:
            Seconds of updates, and of evaluations.
        """
        fields = self.fields
        fields[[at.UPDATE_TIME, at.EVALUATION_TIME]] = 0
        fields[at.EVALUATIONS], fields[at.TABLES] = (
            allocation.address(evaluations),
            len(evaluations),
        )
        self._drive(self._place, table, allocation.address(stops), len(stops))
        fields[at.TABLES] = 0
        return float(fields[at.UPDATE_TIME]) / 1e9, float(fields[at.EVALUATION_TIME]) / 1e9

    def hand_back(self) -> None:
        """Set the order to the current state."""
        fields = self.fields[at.BLOCK_STREAM : at.BLOCK_STREAM + at.STREAM].tolist()
        state, increment = (fields[n] | fields[n + 1] << 64 for n in (at.STATE, at.INCREMENT))
        self._left = {
            "stream": {
                "bit_generator": "PCG64",
                "state": {"state": state, "inc": increment},
                "has_uint32": fields[at.FULL],
                "uinteger": fields[at.HALF],
            },
            "used": -(-int(self.fields[at.USED]) // self.batch),
        }
        self.order.move_to(self._left)

    def rows_until(self, batches: int) -> int:
        """The number of rows in this many batches, counted from the block's first."""
        blocks, rest = divmod(batches, -(-self.size // self.batch))
        return blocks * self.size + min(rest * self.batch, self.size)


# Random numbers for dropout are drawn about this many at a time.
_DRAWN = 1 << 18
# Learning rates that are computed together, if they change.
_RATES = 1 << 15


class StepsRunner:
    """Runs the generated function on steps that follow one order of rows.

    Args:
        blocks: its memory, with room for batches of this order.
    """

    def __init__(
        self,
        order: Sampler,
        function: Function,
        blocks: Blocks,
        inputs: Array,
        target: Array,
        rng: Rng,
    ) -> None:
        self.order = order
        self._blocks = blocks
        self._optimizer = blocks.optimizer
        self._rng = rng
        self._function = function  # called by its address, it must stay in memory
        program = blocks.code.program
        self._drawn = program.drawn
        self._sampling = Sampling(order, function.address, program.direct, program.drawn)
        self._arrays = {
            "inputs": inputs,
            "targets": target,
            "bounds": self._sampling.bounds,
            "stream": self._sampling.fields,
        }
        self._steady_rates = allocation.zeros(at.PIECE, np.float64)
        self._steady_place = allocation.address(self._steady_rates)
        self._table = allocation.given(np.array(arguments_for(blocks, **self._arrays)), np.int64)
        self._table_place = allocation.address(self._table)

    def at_once(self, steps: Steps) -> int:
        """Iterations of these steps that one call can make."""
        numbers = self._drawn * min(self.order.batch_size, self.order.rows)
        length = portion(numbers, len(steps))
        return length if isinstance(steps.schedule, Constant) else min(length, _RATES)

    def run(self, steps: Steps) -> None:
        """Do all updates."""
        length = self.at_once(steps)
        start = self._begin(steps)
        for first in range(0, len(steps), length):
            last = min(first + length, len(steps))
            self._provide(steps, start, first, last)
            self._sampling.run(self._table_place, last - first)
            self._optimizer.steps += last - first
        self._end()

    def run_and_evaluate(
        self, steps: Steps, stops: Sequence[int], portions: Sequence[Portion]
    ) -> Evaluations:
        """Do all updates in one call, with evaluations after this many of them."""
        self._provide(steps, self._begin(steps), 0, len(steps))
        updates, evaluations = self._sampling.run_and_evaluate(
            self._table_place,
            allocation.given(np.diff(stops, prepend=0), np.int64),
            allocation.given(np.array([portion.table for portion in portions]), np.int64),
        )
        self._optimizer.steps += len(steps)
        self._end()
        return Evaluations(
            [portion.sums() / portion.rows for portion in portions],
            [portion.outputs for portion in portions],
            updates,
            evaluations,
        )

    def _begin(self, steps: Steps) -> int:
        """Prepare the arguments; returns the used batches of the order's block."""
        table, schedule = self._table, steps.schedule
        self._blocks.gather()
        table[NUMBER["values"]] = self._blocks.values_address
        self._sampling.fields[at.RATE_BYTES] = 8
        if isinstance(schedule, Constant):
            self._steady_rates[: len(steps)] = schedule.value
            table[NUMBER["rates"]] = self._steady_place
            self._sampling.fields[at.RATE_BYTES] = 0
        return self._sampling.take_over()

    def _provide(self, steps: Steps, start: int, first: int, last: int) -> None:
        """Compute learning rates and random numbers for these iterations."""
        table = self._table
        if not isinstance(steps.schedule, Constant):
            self._rates = allocation.given(steps.rates_of(first, last), np.float64)
            table[NUMBER["rates"]] = allocation.address(self._rates)
        if self._drawn:
            until = self._sampling.rows_until
            count = (until(start + last) - until(start + first)) * self._drawn
            self._uniforms = allocation.given(self._rng.random(count), np.float64)
            table[NUMBER["uniforms"]] = allocation.address(self._uniforms)
        table[NUMBER["steps"]] = self._optimizer.steps

    def _end(self) -> None:
        """Bring the order and the network up to date."""
        self._sampling.hand_back()
        self._blocks.scatter()


def portion(numbers: int, iterations: int) -> int:
    """Iterations for which dropout's random numbers are drawn together."""
    return max(_DRAWN // numbers, 1) if numbers else max(iterations, 1)
