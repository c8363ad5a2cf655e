"""Whole processes on the networks of W1 to W5, by the slope between N and 4N iterations.

Start-up, evaluations and the report cost the same at both lengths: what is left is what an
iteration costs, with all that stands around the update. Beside it the C functions, to which the
rows are given, for as many updates. Both have one and the same core.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from statistics import median

from tests.benchmarks.peers import c
from tests.benchmarks.tables.grid import grid
from tests.benchmarks.timing import one_core
from tests.benchmarks.whole_processes.processes import CONFIGS, NNRUN
from tests.benchmarks.works import WORKS

ID = "slopes"
# The shipped experiment with the network of each work, and how many iterations N are.
EXPERIMENTS = {
    "W1": ("boston_linear", 40_000_000),
    "W2": ("iris_softmax", 12_000_000),
    "W3": ("boston_arch2", 3_000_000),
    "W4": ("digits_arch2", 300_000),
    "W5": ("digits_cnn", 150_000),
}


def measure(work: str, rounds: int, settings: tuple[str, ...] = ()) -> tuple[float, float]:
    """Iterations per second of nnrun and of C, medians.

    Args:
        work: its id.
        rounds: how often each is measured, in turn; one more may compile, and does not count.
        settings: overrides, as `training.sampling=shuffle`.
    """
    name, few = EXPERIMENTS[work]
    peer = c.prepare(WORKS[work])
    assert peer is not None
    repeats = -(-3 * few // peer.iterations)
    ours, theirs = [], []
    with one_core():
        for _ in range(rounds + 1):
            seconds = [_process(name, count, settings) for count in (few, 4 * few)]
            ours.append(3 * few / (seconds[1] - seconds[0]))
            theirs.append(repeats * peer.iterations / _seconds(lambda: _repeat(peer.run, repeats)))
    return median(ours[1:]), median(theirs[1:])


def table(rounds: int) -> str:
    """A Markdown table of all five."""
    rows = []
    for work in EXPERIMENTS:
        ours, theirs = measure(work, rounds)
        rows.append([work, f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.2f}×"])
    title = "Whole processes by the slope between N and 4N iterations, updates per second"
    return "\n".join([title, "", *grid(["", "`nnrun train`", "C", "ratio"], rows)])


def _process(name: str, iterations: int, settings: tuple[str, ...]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        config = str(CONFIGS / f"{name}.yaml")
        command = [*NNRUN, "train", config, "--iterations", str(iterations), *settings]
        command += ["--results", folder]
        return _seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def _repeat(run: Callable[[], object], repeats: int) -> None:
    for _ in range(repeats):
        run()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
