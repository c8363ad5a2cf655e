"""S1 and S2: whole processes from the shell, start-up and reports included."""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.benchmarks.tables.grid import grid

CONFIGS = Path(__file__).parents[3] / "configs"
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
