"""The memory of a tape; parameters are copied in and out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.tape.plan import TASKS, ExecutionPlan, Places
from nnrun.nn.network import Network, once_for_each
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array

# Weights of 3×3 become 4×4 by Winograd's transform, and that in both directions.
_TRANSFORMED = 4
# A thread's scratch memory holds at most this many numbers for each weight of a convolution: 8
# bytes for each tap, or 16 sums for nine weights.
_SCRATCH = 2


class Memory:
    """Arrays by name.

    Args:
        state: names of the optimizer's arrays; each parameter has one of each.
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
        """Of an array's first number."""
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
            for name, array in self.optimizer.state.items():
                yield array[part], arrays[f"{one.block}.{name}"], one.places
        for kept in self.plan.statistics:
            yield kept.layer.buffers[kept.name], arrays[kept.block], kept.places


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
