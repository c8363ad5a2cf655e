"""The loop over the tape that every thread runs: iterations, stages, tasks, ops."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import (
    atomic_add,
    atomic_load,
    doubles,
    give_way,
    integers,
    run,
)

# Looks at the barrier before a waiting thread lets others have its processor.
_PATIENCE = 2000


def runner(stages, count, ops, bounds, rates, first, last, thread, threads, barrier, scratch):
    """Do this thread's tasks of iterations first … last - 1.

    Args:
        stages: for each of `count` stages how many rows a task has (0: its tasks are as many as
            the next number says), how many tasks, where its ops begin, how many.
        ops: for each the addresses of its kernel and of its parameters, and the task from which
            on it has nothing to do.
        bounds: where batches begin, and the last one ends, in the rows of the call.
        rates: learning rates, by iteration.
        count: of stages.
        first: iteration,
        last: and the one after the last.
        thread: which one this is,
        threads: of how many.
        barrier: a number that all threads count up, 0 at first.
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
