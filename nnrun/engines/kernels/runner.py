"""The loop over the tape that every thread runs: iterations, stages, tasks, ops."""

from __future__ import annotations

from nnrun.compiler.code import doubles, integers
from nnrun.engines.kernels.primitives import atomic_add, atomic_load, give_way, run

# Reads of the barrier before a waiting thread yields its processor.
_PATIENCE = 2000


def runner(stages, count, ops, bounds, rates, first, last, thread, threads, barrier, scratch):
    """Do this thread's tasks of iterations first … last - 1.

    Args:
        stages: for each stage the rows of a task (0 if the number of tasks is given), the tasks,
            the first op, the number of ops.
        count: the number of stages.
        ops: for each the addresses of its kernel and its parameters, and the first task without
            work.
        bounds: of the batches in the rows of the call.
        rates: learning rates, by iteration.
        first: iteration.
        last: the iteration after the last.
        thread: the number of this thread.
        threads: their number.
        barrier: a counter of all threads, 0 at first.
        scratch: this thread's memory.
    """
    stages, ops, bounds, rates = integers(stages), integers(ops), integers(bounds), doubles(rates)
    barrier = integers(barrier)
    for k in range(first, last):
        start = bounds[k]
        n = bounds[k + 1] - start
        rate = rates[k]
        for s in range(count):
            rows, tasks, begin = stages[4 * s], stages[4 * s + 1], stages[4 * s + 2]
            end = begin + stages[4 * s + 3]
            if rows != 0:
                tasks = (n + rows - 1) // rows
            for task in range(thread, tasks, threads):
                for op in range(begin, end):
                    if task < ops[3 * op + 2]:
                        run(ops[3 * op], ops[3 * op + 1], task, n, k, start, rate, scratch)
            if threads != 1:
                meet(barrier, threads)


def meet(barrier, threads):
    """Wait until all threads have come here."""
    goal = (atomic_add(barrier, 1) // threads + 1) * threads
    looks = 0
    while atomic_load(barrier) < goal:
        looks += 1
        if looks > _PATIENCE:
            give_way()
