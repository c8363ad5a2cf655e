"""Steps whose rows compiled code draws, with evaluations in between if requested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnrun.compiler.llvm.arguments import NUMBER
from nnrun.engines.base import Evaluations, Steps
from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.generated.evaluation import Portion, arguments_for
from nnrun.engines.compiled.generated.generate import Blocks
from nnrun.engines.compiled.generated.sampling import Sampling
from nnrun.engines.compiled.kernels.sampling.fields import PIECE, RATE_BYTES
from nnrun.engines.sampling import Sampler
from nnrun.nn.schedules import Constant
from nnrun.nn.signature import Array, Rng

if TYPE_CHECKING:
    from nnrun.compiler.llvm.machine import Function

# Random numbers for dropout are drawn about so many at a time.
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
        self._steady_rates = allocation.zeros(PIECE, np.float64)
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
        """Do all updates in one call, with evaluations after so many of them."""
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
        self._sampling.fields[RATE_BYTES] = 8
        if isinstance(schedule, Constant):
            self._steady_rates[: len(steps)] = schedule.value
            table[NUMBER["rates"]] = self._steady_place
            self._sampling.fields[RATE_BYTES] = 0
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
