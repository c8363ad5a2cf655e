"""Whole processes from the shell, start-up and reports included: S1, S2, S3 and slopes."""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from nnrun.config.load import load_config
from nnrun.reports.run import report_markdown
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare, prepare_again
from nnrun.runs.storage.store import Store
from nnrun.sklearn import NetworkClassifier
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


# What a run of a sweep costs beyond its training, and `fit` beside scikit-learn's own network.

OVERHEAD = "overhead"


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one run, medians."""

    updates: float
    evaluations: float
    rest: float


def overhead(name: str, rounds: int) -> Cost:
    """Runs of one config with new seeds, its data loaded; the first may compile, and is extra."""
    first = prepare(load_config(CONFIGS / f"{name}.yaml"))
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), report_markdown)
        for seed in range(rounds + 1):
            start = time.perf_counter()
            config = first.config.model_copy(update={"seed": seed})
            timing = train(prepare_again(config, first.dataset), store).record.timing
            seconds = time.perf_counter() - start
            updates, evaluations = timing["train_seconds"], timing["evaluation_seconds"]
            taken.append((updates, evaluations, seconds - updates - evaluations))
    return Cost(*(1000 * median(part) for part in zip(*taken[1:], strict=True)))


def table_of_overhead(rounds: int) -> str:
    """A Markdown table of the notebook's eight experiments, the mean over all at its end."""
    costs = {name: overhead(name, 4 * rounds) for name in NOTEBOOK}
    costs["mean"] = Cost(*map(mean, zip(*map(astuple, costs.values()), strict=True)))
    header = ["", "updates", "evaluations along the way", "all else", "beyond updates"]
    rows = []
    for name, cost in costs.items():
        parts = (*astuple(cost), cost.evaluations + cost.rest)
        rows.append([name, *(f"{part:.1f}" for part in parts)])
    return "\n".join(
        [
            "Milliseconds a run of the notebook's experiments takes in one process",
            "",
            *grid(header, rows),
        ]
    )


# `fit` of nnrun's estimator beside that of scikit-learn's own network.

ESTIMATORS = "estimators"
UNITS, RATE = 100, 0.001
# Solver, rows in a batch, epochs.
SETTINGS = [("sgd", 1, 3), ("adam", 1, 3), ("sgd", 64, 20), ("adam", 64, 20)]


def fits(solver: str, batch_size: int, epochs: int, rounds: int) -> tuple[float, float]:
    """Seconds of both on digits, medians of rounds in turn; the first may compile, and is extra."""
    x, y = load_digits(return_X_y=True)
    optimizer = {"type": "sgd", "momentum": 0.9} if solver == "sgd" else "adam"
    ours: Any = NetworkClassifier(
        (UNITS,), "relu", optimizer=optimizer, learning_rate=RATE, epochs=epochs,
        batch_size=batch_size, random_state=0, n_iter_no_change=epochs,
    )  # fmt: skip
    theirs: Any = MLPClassifier(
        (UNITS,), solver=solver, alpha=0, learning_rate_init=RATE, max_iter=epochs,
        batch_size=batch_size, random_state=0, n_iter_no_change=epochs, nesterovs_momentum=False,
    )  # fmt: skip
    taken: dict[Any, list[float]] = {ours: [], theirs: []}
    for _ in range(rounds + 1):
        for estimator, seconds in taken.items():
            start = time.perf_counter()
            with warnings.catch_warnings(action="ignore"):
                estimator.fit(x / 16, y)
            seconds.append(time.perf_counter() - start)
    return median(taken[ours][1:]), median(taken[theirs][1:])


def table_of_estimators(rounds: int) -> str:
    """A Markdown table of all settings."""
    rows = []
    for solver, size, epochs in SETTINGS:
        ours, theirs = fits(solver, size, epochs, rounds)
        what = f"{solver}, batches of {size}, {epochs} epochs"
        rows.append([what, f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.2f}×"])
    header = ["", "NetworkClassifier, s", "MLPClassifier, s", "times as fast"]
    title = f"`fit` on digits (64 → {UNITS} relu → 10), the curve of losses included"
    return "\n".join([title, "", *grid(header, rows)])
