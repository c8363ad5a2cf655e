"""Side by side: every contestant runs in turn, round after round, and medians are compared."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class TimedRun:
    """What is timed: `run` makes `iterations` updates."""

    run: Callable[[], object]
    iterations: int


def rates(timed: dict[str, TimedRun], rounds: int, seconds: float) -> dict[str, float]:
    """Iterations per second of each contestant, medians over the rounds.

    Args:
        timed: contestants by name.
        rounds: how often each one runs; in every round all of them do, so that a machine that
            slows down for a while slows all of them.
        seconds: how long one contestant runs in a round, at least.
    """
    repeats = {name: _calibrate(one, seconds) for name, one in timed.items()}
    measured: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, one in timed.items():
            elapsed = _elapsed(one, repeats[name])
            measured[name].append(repeats[name] * one.iterations / elapsed)
    return {name: median(values) for name, values in measured.items()}


@contextmanager
def one_core() -> Iterator[None]:
    """One core for all processes that start meanwhile, so that moving to another core costs no one.

    JAX has threads of its own, too, whatever its settings.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _calibrate(one: TimedRun, seconds: float) -> int:
    """How many calls fill the time; the first call, which may compile, does not count."""
    one.run()
    return max(1, round(seconds / _elapsed(one, 1)))


def _elapsed(one: TimedRun, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        one.run()
    return time.perf_counter() - start
