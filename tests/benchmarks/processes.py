"""Whole processes from the shell, start-up and reports included: S1, S2, S3 and slopes."""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.benchmarks.contest import one_core
from tests.benchmarks.peers import c
from tests.benchmarks.tables import grid
from tests.benchmarks.works import WORKS

CONFIGS = Path(__file__).parents[2] / "configs"
NOTEBOOK = (
    "boston_linear",
    "iris_softmax",
    "boston_arch1",
    "boston_arch2",
    "boston_arch3",
    "digits_arch1",
    "digits_arch2",
    "digits_cnn",
)
PYTHON = [sys.executable, "-c"]
NNRUN = [sys.executable, "-m", "nnrun"]
SWEEP = [*NNRUN, "sweep", *(str(CONFIGS / f"{name}.yaml") for name in NOTEBOOK)]
TRAIN = [*NNRUN, "train", str(CONFIGS / "boston_arch2.yaml")]

# By id: what it is, and the commands that are timed in turn. A command may be followed by
# `--results` and a folder of its own.
PROCESSES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "S1": (
        "the eight notebook experiments × 20 seeds, as one `nnrun sweep`",
        {"nnrun": [*SWEEP, "seed=range(0,20)"]},
    ),
    "S2": (
        "`nnrun train configs/boston_arch2.yaml`",
        {
            "nnrun": TRAIN,
            "nnrun, 10⁷ iterations": [*TRAIN, "--iterations", "10000000"],
            "imports of numpy and sklearn.datasets": [*PYTHON, "import numpy, sklearn.datasets"],
        },
    ),
}


def seconds_of(commands: dict[str, list[str]], rounds: int) -> dict[str, float]:
    """Seconds of each command, medians; the first round, which may compile, does not count.

    Results stay until this process ends: ext4 looks at every inode that was freed within minutes
    before it takes a new one, which would be counted as that of what is measured next.
    """
    taken: dict[str, list[float]] = {label: [] for label in commands}
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    for turn in range(rounds + 1):
        for label, command in commands.items():
            results = ["--results", f"{folder.name}/{label}/{turn}"]
            where = results if command[1:3] == ["-m", "nnrun"] else []
            start = time.perf_counter()
            subprocess.run([*command, *where], check=True, capture_output=True)
            taken[label].append(time.perf_counter() - start)
    return {label: median(seconds[1:]) for label, seconds in taken.items()}


def table(name: str, rounds: int) -> str:
    """A Markdown table of one of them."""
    title, commands = PROCESSES[name]
    seconds = seconds_of(commands, rounds)
    rows = [[label, f"{value:.2f}"] for label, value in seconds.items()]
    return "\n".join([f"{name}: {title}", "", *grid(["", "seconds"], rows)])


# S3: what each of a thousand tiny runs takes, all that stands around their arithmetic included.

TINY = "S3"
RUNS, ITERATIONS = 1_000, 500
TINY_SWEEP = [*NNRUN, "sweep", str(CONFIGS / "iris_softmax.yaml"), "--iterations", str(ITERATIONS)]


def table_of_tiny_runs(rounds: int) -> str:
    """Milliseconds per run: of two whole processes, one with one run, the difference."""
    taken = seconds_of(
        {
            "one": [*TINY_SWEEP, "-j", "1", "--seeds", "1"],
            "all": [*TINY_SWEEP, "-j", "1", "--seeds", str(RUNS)],
        },
        rounds,
    )
    each = (taken["all"] - taken["one"]) / (RUNS - 1)
    return "\n".join(
        [
            f"{TINY}: {RUNS:,} runs of `iris_softmax` at {ITERATIONS} iterations, one job",
            "",
            *grid(
                ["", "seconds"],
                [
                    ["a sweep of one run", f"{taken['one']:.2f}"],
                    [f"a sweep of {RUNS:,}", f"{taken['all']:.2f}"],
                    ["beyond one run, each", f"{each:.4f}"],
                ],
            ),
        ]
    )


# Whole processes on the networks of W1 to W5, by the slope between N and 4N iterations.
#
# Start-up, evaluations and the report cost the same at both lengths: what is left is what an
# iteration costs, with all that stands around the update. Beside it the C functions, to which the
# rows are given, for as many updates. Both have one and the same core.

SLOPES = "slopes"
# The shipped experiment with the network of each work, and how many iterations N are.
EXPERIMENTS = {
    "W1": ("boston_linear", 40_000_000),
    "W2": ("iris_softmax", 12_000_000),
    "W3": ("boston_arch2", 3_000_000),
    "W4": ("digits_arch2", 300_000),
    "W5": ("digits_cnn", 150_000),
}


def slope(work: str, rounds: int, settings: tuple[str, ...] = ()) -> tuple[float, float]:
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


def table_of_slopes(rounds: int) -> str:
    """A Markdown table of all five."""
    rows = []
    for work in EXPERIMENTS:
        ours, theirs = slope(work, rounds)
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
