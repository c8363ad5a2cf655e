"""The engine that runs a tape, and the memory in which it does."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterable, Iterator
from math import prod
from threading import Event, Thread
from typing import Any

import numpy as np

from nnrun.engines import allocation
from nnrun.engines.base import Batches, Engine
from nnrun.engines.kernels import KERNELS, RUNNER
from nnrun.engines.kernels.load import addresses, object_code
from nnrun.engines.tape import network as tapes
from nnrun.engines.tape.network import corrections
from nnrun.engines.tape.plan import TASKS, Address, ExecutionPlan, Places, Value
from nnrun.nn.network import Network, once_for_each
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng

# The memory of a tape; parameters are copied in and out.

# Weights of 3×3 become 4×4 by Winograd's transform, and that in both directions.
_TRANSFORMED = 4
# A thread's scratch memory holds at most this many numbers for each weight of a convolution: 8
# bytes for each tap, or 16 sums for nine weights.
_SCRATCH = 2


class Memory:
    """Arrays by name.

    Args:
        state: names of the optimizer's vectors; each parameter has one of each.
    """

    def __init__(
        self, plan: ExecutionPlan, state: Iterable[str] = (), shared: dict[str, Array] | None = None
    ) -> None:
        sizes = dict(plan.blocks)
        sizes.update({f"{one.block}.{name}": one.size for one in plan.placed for name in state})
        self.arrays = dict(shared or {})
        for name, size in sizes.items():
            if name not in self.arrays:
                self.arrays[name] = allocation.unwritten(size, plan.dtype)
        self._fill(plan)

    def _fill(self, plan: ExecutionPlan) -> None:
        """Write constants: zeros that kernels read but never write, and ones."""
        for one in plan.maps:
            one.clear_around(self.arrays[one.block])
        for name in plan.cleared:
            self.arrays[name].fill(0)
        for placed in plan.placed:
            if placed.gradient in plan.blocks:
                placed.clear_around(self.arrays[placed.gradient])
        if "ones" in self.arrays:
            self.arrays["ones"].fill(1)

    def address(self, name: str) -> int:
        """Address of an array's first number."""
        return int(self.arrays[name].ctypes.data)


class Parameters:
    """A network's parameters and statistics and the optimizer's arrays, in the tape's memory.

    They are copied in before some iterations, and back after them.
    """

    def __init__(
        self, plan: ExecutionPlan, memory: Memory, network: Network, optimizer: Optimizer
    ) -> None:
        self.plan = plan
        self.network = network
        self.optimizer = optimizer
        starts, start = {}, 0
        for parameter in network.parameters.values():
            starts[id(parameter)] = start
            start += parameter.size
        self._places = [
            (slice(first, first + one.parameter.size), one)
            for one in plan.placed
            for first in [starts[id(one.parameter)]]
        ]
        self._arrays = memory.arrays

    def gather(self) -> None:
        """Copy them in."""
        for numbers, memory, places in self._pairs():
            if len(memory) != len(numbers):
                # Padding may hold NaN from a run that diverged.
                memory[...] = 0
            places.copy_in(numbers, memory)

    def scatter(self) -> None:
        """Copy them back."""
        for numbers, memory, places in self._pairs():
            places.copy_out(memory, numbers)

    def _pairs(self) -> Iterator[tuple[Array, Array, Places]]:
        arrays = self._arrays
        for part, one in self._places:
            yield self.network.theta[part], arrays[one.block], one.places
            for name, array in self.optimizer.vectors.items():
                yield array[part], arrays[f"{one.block}.{name}"], one.places
        for kept in self.plan.statistics:
            buffer, average = kept.layer.buffers[kept.name], self.optimizer.average
            yield buffer, arrays[kept.block], kept.places
            if average is not None:
                yield average.of(buffer), arrays[f"{kept.block}.average"], kept.places


def contiguous(x: Array, dtype: np.dtype[np.floating]) -> Array:
    """Rows one after the other, as kernels read them."""
    return allocation.given(x.reshape(len(x), -1), dtype)


@once_for_each
def buffers(network: Network, batch_size: int) -> int:
    """About how many numbers a tape needs for parameters, besides those of any engine.

    Each task of rows has gradients of its own, except of products and embeddings. Weights of
    convolutions are stored again for the backward pass, and transformed; scratch memory holds taps,
    or sums.
    """
    summed = sum(
        parameter.size
        for layer in network.steps
        if layer.type not in ("matmul", "embedding")
        for parameter in layer.parameters
    )
    return summed * (min(batch_size, TASKS) + _TRANSFORMED + _SCRATCH)


# A tape as numbers for `kernels.loops`, which run it in one thread or in several.


class Encoded:
    """Stages, ops and their parameters, as int64.

    Args:
        scratch: bytes of scratch memory that each thread has.
    """

    def __init__(
        self, plan: ExecutionPlan, memory: Memory, kernels: dict[str, int], scratch: int
    ) -> None:
        self._memory = memory
        self._itemsize = plan.dtype.itemsize
        self._late: list[tuple[int, Address]] = []
        stages: list[list[int]] = []
        ops: list[list[int]] = []
        parameters: list[int] = []
        for stage in plan.all_stages:
            stages.append([stage.rows, stage.tasks, len(ops), len(stage.ops)])
            for op in stage.ops:
                assert plan.scratch_of(op) <= scratch
                ops.append([kernels[op.kernel], len(parameters), op.limit])
                for name in KERNELS[op.kernel].parameters:
                    value = op.values[name]
                    if isinstance(value, Address) and value.block.startswith("@"):
                        self._late.append((len(parameters), value))
                        value = 0
                    parameters.append(self._number(value))
        self.stages = allocation.given(np.array(stages), np.int64)
        self.ops = allocation.given(np.array(ops), np.int64)
        self.parameters = allocation.given(np.array(parameters), np.int64)
        self.ops[:, 1] = self.parameters.ctypes.data + 8 * self.ops[:, 1]

    def point(self, late: dict[str, int]) -> None:
        """Set the addresses of the caller's arrays, by their names without the @."""
        for place, address in self._late:
            self.parameters[place] = late[address.block[1:]] + address.offset * self._itemsize

    def _number(self, value: Value) -> int:
        if isinstance(value, Address):
            return self._memory.address(value.block) + value.offset * self._itemsize
        if isinstance(value, float):
            return int(struct.unpack("<q", struct.pack("<d", value))[0])
        return value


# The runner's only floating-point numbers are learning rates.
DRIVEN = "float64"
_TYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 11)


class Driver:
    """Calls the runner; its threads end with the call.

    So a fork loses no threads, and signals reach the main thread, which waits for the others.

    Args:
        scratch: bytes that each thread needs.
    """

    def __init__(self, encoded: Encoded, scratch: int, threads: int) -> None:
        self.encoded = encoded
        self.threads = threads
        self._scratch = [allocation.unwritten(scratch, np.uint8) for _ in range(threads)]
        self._run = _TYPE(addresses([RUNNER], DRIVEN)[RUNNER])

    def run(self, bounds: Array, rates: Array, first: int, last: int) -> None:
        """Run iterations first … last - 1."""
        barrier = allocation.zeros(1, np.int64)
        tape = self.encoded

        def work(thread: int) -> None:
            self._run(
                tape.stages.ctypes.data,
                len(tape.stages),
                tape.ops.ctypes.data,
                bounds.ctypes.data,
                rates.ctypes.data,
                first,
                last,
                thread,
                self.threads,
                barrier.ctypes.data,
                self._scratch[thread].ctypes.data,
            )

        if self.threads == 1:
            work(0)
        else:
            _together(work, self.threads)


def _together(work: Callable[[int], None], threads: int) -> None:
    """Call `work` in this many threads, once all have begun.

    There they wait for each other in machine code, which cannot be interrupted.
    """
    ready = Event()

    def begin(thread: int) -> None:
        ready.wait()
        work(thread)

    workers = [Thread(target=begin, args=[thread], daemon=True) for thread in range(1, threads)]
    for worker in workers:
        worker.start()
    ready.set()
    work(0)
    for worker in workers:
        worker.join()


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
        self._memory = Memory(plan, optimizer.vectors)
        self._parameters = Parameters(plan, self._memory, network, optimizer)
        self._driver = self._driven(plan, self._memory)
        self._drawn = plan.drawn
        self._batch_size = batch_size
        self._evaluator: Driver | None = None

    @property
    def surroundings(self) -> dict[str, Any]:
        from nnrun.compiler import machine  # noqa: PLC0415 - imports LLVM

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
