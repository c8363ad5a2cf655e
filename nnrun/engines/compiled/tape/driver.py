"""A tape as numbers for `kernels.runner`, which run it in one thread or in several."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from threading import Event, Thread

import numpy as np

from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.kernels import KERNELS, RUNNER
from nnrun.engines.compiled.kernels.load import addresses
from nnrun.engines.compiled.tape.arrays import Address
from nnrun.engines.compiled.tape.memory import Memory
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.engines.compiled.tape.stages import Value
from nnrun.nn.signature import Array


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
