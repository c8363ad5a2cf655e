"""Running a tape, by one thread or by several."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from threading import Event, Thread

import numpy as np

from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.kernels import RUNNER
from nnrun.engines.compiled.kernels.load import addresses
from nnrun.engines.compiled.tape.encode import Encoded
from nnrun.nn.signature import Array

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
    """Call `work` in so many threads, all of them or, if they cannot be started, none.

    Threads that have begun wait for each other in machine code, which cannot be interrupted.
    """
    ready, starting = Event(), [True]

    def begin(thread: int) -> None:
        ready.wait()
        if not starting:
            work(thread)

    workers = [Thread(target=begin, args=[thread], daemon=True) for thread in range(1, threads)]
    begun = []
    try:
        for worker in workers:
            worker.start()
            begun.append(worker)
        starting.clear()
    finally:
        ready.set()
        if not starting:
            work(0)
        for worker in begun:
            worker.join()
