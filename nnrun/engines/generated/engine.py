"""The engine that runs generated machine code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nnrun.compiler import cache
from nnrun.engines import allocation
from nnrun.engines.base import Batches, Engine, Evaluations, Evaluator, Sampler, Steps
from nnrun.engines.generated.cost import function_seconds, refuses_function
from nnrun.engines.generated.generate import Blocks, Generated, generate
from nnrun.engines.generated.steps import (
    Evaluation,
    RowsEvaluator,
    Sampling,
    StepsRunner,
    arguments_for,
    portion,
)
from nnrun.engines.kernels import DRIVE
from nnrun.engines.kernels import load as kernels
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng

if TYPE_CHECKING:
    from nnrun.compiler.machine import Function


# By whether batches are single rows and whether `run` returns their losses.
CompiledFunctions = dict[tuple[bool, bool], "tuple[Generated, Function]"]

# Updates with evaluations are made in one call if the estimate for single rows is below this many
# seconds, and the evaluations return no more numbers than this.
_SHORT, _PUT_OUT = 0.02, 1 << 20


class CompiledEngine(Engine):
    """Updates by a function that is generated and compiled for this one network.

    Args:
        batch_size: the largest batch. With 1, the function takes only single rows.
        compiled_functions: those of networks of the same config; a new one is added to them.

    Raises:
        UnsupportedError: the network has something that cannot be compiled.
    """

    name = "compiled"

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        x: Array,
        target: Array,
        *,
        rng: Rng,
        clip_norm: float | None = None,
        batch_size: int,
        losses: bool = False,
        wait: Callable[[str], None] = lambda text: None,
        compiled_functions: CompiledFunctions | None = None,
    ) -> None:
        reason = None if compiled_functions else refuses_function(network, optimizer)
        if reason is not None:
            raise UnsupportedError(reason)
        self.network = network
        self.optimizer = optimizer
        self.x = x
        self.target = self._flat(target)
        self.rng = rng
        self.losses = losses
        self.single = single = batch_size == 1
        self._runner: StepsRunner | None = None
        known = {} if compiled_functions is None else compiled_functions
        if (single, losses) not in known:
            code = generate(network, optimizer, clip_norm=clip_norm, single=single, losses=losses)
            known[single, losses] = code, cache.function(code.source, network.dtype.name, wait)
        self.code, self._function = known[single, losses]
        kernels.addresses([DRIVE], "float64")  # compiled before training is timed
        self._blocks = Blocks(self.code, network, optimizer)
        self._take(x)
        self._evaluation = Evaluation(self._blocks, self._function, self._arranged, single)

    def run(self, batches: Batches, losses: Array | None = None) -> None:
        if losses is not None and not self.losses:
            raise ValueError("this engine was built without `losses`")
        if isinstance(batches, Steps) and Sampling.fits(batches) and not self.losses:
            self._drawing(batches.order).run(batches)
        else:
            self._given(batches, losses)

    def train_on(self, x: Array, target: Array) -> None:
        self.x, self.target, self._runner = x, self._flat(target), None
        self._take(x)

    def run_and_evaluate(
        self, steps: Steps, stops: Sequence[int], evaluators: Sequence[Evaluator]
    ) -> Evaluations | None:
        own = cast("Sequence[RowsEvaluator]", evaluators)
        if self.losses or not Sampling.fits(steps) or not all(one.whole for one in own):
            return None
        runner, network = self._drawing(steps.order), self.network
        evaluated = len(stops) * sum(map(len, own))
        rows = len(steps) * steps.order.batch_size + evaluated
        if runner.at_once(steps) < len(steps) or (
            rows * function_seconds(network, 1) > _SHORT
            or evaluated * prod(network.output_shape) > _PUT_OUT
        ):
            return None
        portions = [evaluator.repeated(len(stops)) for evaluator in own]
        return runner.run_and_evaluate(steps, stops, portions)

    def _drawing(self, order: Sampler) -> StepsRunner:
        """The runner that draws rows in this order."""
        if self._runner is None or self._runner.order is not order:
            if self.single and order.batch_size > 1:
                raise ValueError("this engine was built for batches of one row")
            if order.rows > len(self._inputs):
                raise IndexError("a batch has row numbers beyond the training split")
            self._runner = StepsRunner(
                order, self._function, self._blocks, self._inputs, self.target, self.rng
            )
        return self._runner

    def _given(self, batches: Batches, losses: Array | None) -> None:
        """Updates with given rows."""
        rows = allocation.given(batches.rows, np.int64)
        bounds = allocation.given(batches.bounds, np.int64)
        rates = allocation.given(batches.rates, np.float64)
        if not len(rates):
            return
        # As many rows as batches: single rows.
        single = bounds[-1] - bounds[0] == len(rates)
        if self.single and not single:
            raise ValueError("this engine was built for batches of one row")
        largest = 1 if single else int(np.diff(bounds).max())
        # Machine code checks no bounds; as unsigned numbers negative rows are large.
        if rows.view(np.uint64).max(initial=0) >= len(self._inputs):
            raise IndexError("a batch has row numbers beyond the training split")
        self._blocks.gather()
        found = allocation.unwritten(len(rates) if self.losses else 0, np.float64)
        program, function = self.code.program, self._function
        drawn = program.drawn
        length = portion(drawn * largest, len(rates))
        for first in range(0, len(rates), length):
            last = min(first + length, len(rates))
            count = int(bounds[last] - bounds[first]) * drawn
            uniforms = allocation.given(self.rng.random(count), np.float64)
            arrays = {
                "inputs": self._inputs,
                "targets": self.target,
                "rows": rows[bounds[first] :] if program.direct else rows,
                "bounds": bounds[first:],
                "rates": rates[first:last],
                "uniforms": uniforms,
                "losses": found[first:last],
            }
            function(*arguments_for(self._blocks, count=last - first, **arrays))
            self.optimizer.steps += last - first
        self._blocks.scatter()
        if losses is not None:
            losses[...] = found

    @property
    def surroundings(self) -> dict[str, Any]:
        from nnrun.compiler import machine  # noqa: PLC0415 - imports LLVM

        return {"machine_code": machine.description()}

    def evaluator(self, x: Array, target: Array) -> RowsEvaluator:
        return self._evaluation.of(x, target, self._inputs if x is self.x else None)

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        return self.evaluator(x, target)()

    def _flat(self, target: Array) -> Array:
        return allocation.given(target.reshape(len(target), -1), self.network.dtype)

    def _take(self, x: Array) -> None:
        """Take the rows; if they are copied in their order, `x` is a view of the copy."""
        self._inputs, row = self._arranged(x), self.code.x
        if self._is_straight and row.stored > row.size:
            self.x = self._inputs[:, : row.size].reshape(x.shape)

    def _arranged(self, x: Array) -> Array:
        """Rows in the function's layout: padded, images with the channels last."""
        flat = x.reshape(len(x), -1)
        row = self.code.x
        if self._is_straight and row.stored == row.size:
            return allocation.given(flat, self.network.dtype)
        arranged = allocation.zeros(len(x) * row.stored, self.network.dtype).reshape(len(x), -1)
        arranged[:, slice(row.size) if self._is_straight else row.order] = flat
        return arranged

    @property
    def _is_straight(self) -> bool:
        """Whether numbers are in the order of the rows."""
        image = self.code.x.image
        return image is None or image[0] == 1


def compile_ahead(
    network: Network, optimizer: Optimizer, *, clip_norm: float | None, batch_size: int
) -> None:
    """Put the machine code into the cache, for processes that start later."""
    code = generate(network, optimizer, clip_norm=clip_norm, single=batch_size == 1)
    cache.object_code(code.source, network.dtype.name, cache.digest(code.source))
    kernels.object_code([DRIVE], "float64")


class UnsupportedError(ValueError):
    """A network that the compiled engine cannot train."""
