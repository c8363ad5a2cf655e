"""The engine that runs a tape."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from nnrun.engines.base import Batches, Engine
from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.kernels import RUNNER
from nnrun.engines.compiled.kernels.load import addresses, object_code
from nnrun.engines.compiled.tape import network as tapes
from nnrun.engines.compiled.tape.driver import DRIVEN, Driver, Encoded
from nnrun.engines.compiled.tape.memory import Memory, Parameters, contiguous
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.engines.compiled.tape.updates import corrections
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng

# Random numbers for dropout are drawn about this many at a time.
_DRAWN = 1 << 20
# Rows evaluated at a time, if the batches are not larger.
_EVALUATED = 64


class TapeEngine(Engine):
    """Updates by kernels that are compiled once for all networks.

    Args:
        threads: the number of threads; the bits do not depend on it.
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
        threads: int = 1,
        wait: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.train_on(x, target)
        self.rng = rng
        self.losses = losses
        plan = tapes.training(
            network, optimizer, clip_norm=clip_norm, batch_size=batch_size, losses=losses
        )
        self.threads = min(threads, most_tasks(plan))
        self._kernels = sorted(kernels_of(plan))
        self._evaluated = max(batch_size, _EVALUATED)
        self._evaluation = tapes.evaluation(network, self._evaluated)
        self._code = addresses(
            kernels_of(plan) | kernels_of(self._evaluation), network.dtype.name, wait
        )
        self._memory = Memory(plan, optimizer.state)
        self._parameters = Parameters(plan, self._memory, network, optimizer)
        self._driver = self._driven(plan, self._memory)
        self._drawn = plan.drawn
        self._batch_size = batch_size
        self._evaluator: Driver | None = None

    @property
    def surroundings(self) -> dict[str, Any]:
        from nnrun.compiler.llvm import machine  # noqa: PLC0415 - imports LLVM

        return {
            "machine_code": machine.description(),
            "threads": self.threads,
            "kernels": ", ".join(self._kernels),
        }

    def run(self, batches: Batches, losses: Array | None = None) -> None:
        if losses is not None and not self.losses:
            raise ValueError("this engine was built without `losses`")
        rows = allocation.given(batches.rows, np.int64)
        bounds = allocation.given(batches.bounds, np.int64)
        rates = allocation.given(batches.rates, np.float64)
        if not len(rates):
            return
        largest = int(np.diff(bounds).max())
        if largest > self._batch_size:
            raise ValueError("this engine was built for smaller batches")
        # Machine code checks no bounds; as unsigned numbers negative rows are large.
        if rows.view(np.uint64).max(initial=0) >= len(self.x):
            raise IndexError("a batch has row numbers beyond the training split")
        self._parameters.gather()
        late = {
            "rows": rows.ctypes.data,
            "x": self.x.ctypes.data,
            "target": self.target.ctypes.data,
        }
        steps = corrections(self.optimizer, rates)
        given = {name: allocation.given(one, np.float64) for name, one in steps.items()}
        late |= {name: array.ctypes.data for name, array in given.items()}
        row_losses = allocation.unwritten(len(rows) if self.losses else 0, np.float64)
        late["losses"] = row_losses.ctypes.data
        drawn = self._drawn
        length = max(_DRAWN // (drawn * largest), 1) if drawn else len(rates)
        for first in range(0, len(rates), length):
            last = min(first + length, len(rates))
            count = int(bounds[last] - bounds[first]) * drawn
            uniforms = allocation.given(self.rng.random(count), np.float64)
            # As if they began where the batches do.
            late["uniforms"] = uniforms.ctypes.data - 8 * int(bounds[first]) * drawn
            self._driver.encoded.point(late)
            self._driver.run(bounds, rates, first, last)
        self.optimizer.steps += len(rates)
        if losses is not None:
            losses[...] = np.add.reduceat(row_losses[: bounds[-1]], bounds[:-1]) / np.diff(bounds)
        self._parameters.scatter()

    def train_on(self, x: Array, target: Array) -> None:
        self.x = contiguous(x, self.network.dtype)
        self.target = contiguous(target, self.network.dtype)

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        network = self.network
        rows = self._evaluated
        if self._evaluator is None:
            plan = self._evaluation
            lasting = {name: self._memory.arrays[name] for name in plan.lasting}
            self._evaluation_memory = Memory(plan, shared=lasting)
            self._evaluator = self._driven(plan, self._evaluation_memory)
        self._parameters.gather()
        shape = (len(x), *network.output_shape)
        outputs = allocation.unwritten(prod(shape), network.dtype).reshape(shape)
        losses = allocation.unwritten(len(x), np.float64)
        # Machine code checks no bounds.
        if x.shape[1:] != network.input_shape or target.size != len(x) * network.target_size:
            raise ValueError("rows and targets are not of the network's shapes")
        x, target = contiguous(x, network.dtype), contiguous(target, network.dtype)
        arrays = {"x": x, "target": target, "outputs": outputs, "losses": losses}
        self._evaluator.encoded.point({name: one.ctypes.data for name, one in arrays.items()})
        bounds = allocation.given(np.append(np.arange(0, len(x), rows), len(x)), np.int64)
        count = len(bounds) - 1
        self._evaluator.run(bounds, allocation.zeros(count, np.float64), 0, count)
        with np.errstate(over="ignore"):
            total = float(losses.sum())
        return total / len(x), outputs

    def _driven(self, plan: ExecutionPlan, memory: Memory) -> Driver:
        scratch = plan.scratch
        return Driver(Encoded(plan, memory, self._code, scratch), scratch, self.threads)


def kernels_of(plan: ExecutionPlan) -> set[str]:
    """The kernels that a tape calls."""
    return {op.kernel for stage in plan.all_stages for op in stage.ops}


def most_tasks(plan: ExecutionPlan) -> int:
    """Tasks of the stage that has most of them."""
    return max(plan.row_tasks, *(stage.tasks for stage in plan.all_stages))


def compile_ahead(
    network: Network, optimizer: Optimizer, *, clip_norm: float | None, batch_size: int
) -> None:
    """Put the machine code into the cache, for processes that start later."""
    plan = tapes.training(network, optimizer, clip_norm=clip_norm, batch_size=batch_size)
    names = kernels_of(plan) | kernels_of(tapes.evaluation(network, batch_size))
    object_code(names, network.dtype.name)
    object_code([RUNNER], DRIVEN)
