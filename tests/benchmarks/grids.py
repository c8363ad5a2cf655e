"""S5: grids of many settings: how soon the first run starts, sweeps beside seeds and beside peers.

NNRUN_PEERS names an interpreter that has the peers (hydra-joblib-launcher, optuna, ray[tune],
scikit-learn); by default it is this one. `python -m tests.benchmarks.grids 2000 20000` shows what
planning takes for each kind of value.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.sweepers import measured
from tests.benchmarks.tables.grid import grid
from tests.benchmarks.whole_processes.folders import CONFIG, Taken, in_temporary_folder, nnrun

ID = "S5"
PLANNED, SWEPT = (200, 2_000, 20_000), 20_000
_FEW, _FEW_PAIRS, _PAIRS = 200, 10, 50

# What a sweep does before its first run; its own peak memory, above that of one setting.
_PLAN = """
import json, sys, time
from pathlib import Path
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan

file = Path(sys.argv[1])
start = time.process_time()
plan = make_plan({str(file): file}, Arguments.parse([], None, None), Datasets())
first = next(plan.runs())
seconds = time.process_time() - start
all = sum(1 for _ in plan.runs())
assert all == len(plan) == int(sys.argv[2])
whole = time.process_time() - start
peak = open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]
print(json.dumps([seconds, whole, int(peak) / 1000]))
"""

# By the kind of what a grid varies: the config's values for these keys, by the number of each.
KINDS: dict[str, dict[str, Callable[[int], Any]]] = {
    "learning rates": {"training.learning_rate": lambda n: 1e-4 + n / 1e6},
    "dropout rates": {"network.layers.1.rate": lambda n: 1e-4 + n / 1e6},
    "units": {"network.layers.0.units": lambda n: n + 1},
    "iterations": {"training.iterations": lambda n: n + 1},
    "schedules": {"training.learning_rate": lambda n: {"schedule": "cosine", "initial": 1e-4 + n}},
    "optimizers": {"training.optimizer": lambda n: {"type": "adam", "beta1": 0.9 - n / 1e6}},
    "networks": {"network": lambda n: {"sizes": [n + 1, 3], "activations": ["tanh", "softmax"]}},
    "test sizes": {"dataset.test_size": lambda n: 0.1 + n / 1e5},
    "units × iterations": {
        "network.layers.0.units": lambda n: n + 1,
        "training.iterations": lambda n: n + 1,
    },
    "optimizers × schedules": {
        "training.optimizer": lambda n: {"type": "adam", "beta1": 0.9 - n / 1e6},
        "training.learning_rate": lambda n: {"schedule": "cosine", "initial": 1e-4 + n},
    },
    "periods of schedules and of evaluations": {
        "training.learning_rate": lambda n: {"schedule": "step", "initial": 0.1, "every": n + 1},
        "training.evaluate_every": lambda n: n + 1,
    },
    "units × batch size × iterations": {
        "network.layers.0.units": lambda n: n + 1,
        "training.batch_size": lambda n: n + 1,
        "training.iterations": lambda n: n + 1,
    },
}
_LAYERS = """\
network: {layers: [{type: dense, units: 8, activation: tanh}, {type: dropout, rate: 0.1},
  {type: dense, units: 3, activation: softmax}]}
"""


def of_kind(kind: str, settings: int) -> Path:
    """A config with a grid of so many settings that differ in what the kind says."""
    keys = KINDS[kind]
    each = round(settings ** (1 / len(keys)))
    grid = {key: [make(n) for n in range(each)] for key, make in keys.items()}
    file = Path("kind.yaml")
    one = "network: {sizes: [3], activations: [softmax]}\n"
    file.write_text(f"{CONFIG.replace(one, _LAYERS)}sweep: {json.dumps({'grid': grid})}\n")
    return file


def kinds(numbers: list[int]) -> str:
    """A Markdown table: CPU seconds until the first run is known, milliseconds for each setting
    until all are, and the peak memory.
    """
    rows = []
    with in_temporary_folder():
        for kind, keys in KINDS.items():
            counts = [round(number ** (1 / len(keys))) ** len(keys) for number in numbers]
            found = [_planned("", of_kind(kind, n), n, 1)[1:] for n in counts]
            each = zip(counts, found, strict=True)
            cells = [
                f"{first}, {1000 * float(whole) / n:.2f}, {peak}"
                for n, (first, whole, peak) in each
            ]
            rows.append([kind, *cells])
    header = ["a grid of", *(f"{number:,} settings: s, ms each, MB" for number in numbers)]
    return "\n".join(grid(header, rows))


def written(settings: int) -> Path:
    """A config with a grid of this many learning rates."""
    file = Path(f"grid{settings}.yaml")
    rates = [round(0.1 + number / 1e6, 6) for number in range(settings)]
    file.write_text(f"{CONFIG}sweep: {{grid: {{training.learning_rate: {rates}}}}}\n")
    return file


def structural(values: int) -> Path:
    """A config with a grid of this many units and batch sizes, each pair to be checked."""
    file = Path(f"structural{values}.yaml")
    network = "network: {sizes: [8, 3], activations: [tanh, softmax]}"
    text = CONFIG.replace("network: {sizes: [3], activations: [softmax]}", network)
    keys = ("network.layers.0.units", "training.batch_size")
    grid = ", ".join(f"{key}: {[*range(1, values + 1)]}" for key in keys)
    file.write_text(f"{text}sweep: {{grid: {{{grid}}}}}\n")
    return file


def table(rounds: int) -> str:
    """A Markdown table: medians of the seconds and the largest peaks."""
    with in_temporary_folder():
        rows = [_planned(f"{n:,}", written(n), n, rounds) for n in PLANNED]
        title = f"{_PAIRS**2:,} pairs of units and batch size"
        rows.append(_planned(title, structural(_PAIRS), _PAIRS**2, rounds))
        Path("iris.yaml").write_text(CONFIG)
        words = {
            f"1 setting × {SWEPT:,} seeds": ["iris.yaml", "--seeds", str(SWEPT)],
            f"{SWEPT:,} settings × 1 seed": [str(written(SWEPT))],
        }
        taken = {title: _swept(title, command) for title, command in words.items()}
        few = _swept("few", [str(written(_FEW))])
        pairs = [_swept(f"pairs{each}", [str(structural(each))]) for each in (_FEW_PAIRS, _PAIRS)]
    first, second = taken.values()
    swept = [
        [title, *(f"{a:.1f} ({a / b:.2f}×)" for a, b in zip(one[:2], first, strict=False))]
        for title, one in taken.items()
    ]
    beside = measured([os.environ.get("NNRUN_PEERS", sys.executable)])
    peers = {
        f"nnrun, {SWEPT:,} settings": _each(few, second, SWEPT - _FEW),
        f"nnrun, {title}": _each(*pairs, _PAIRS**2 - _FEW_PAIRS**2),
        **beside,
    }
    header = ["settings", "first run known after, CPU s", "all known, CPU s", "peak memory, MB"]
    return "\n".join(
        [
            f"{ID}: grids over the learning rate of `iris_softmax` at 500 iterations",
            "",
            *grid(header, rows),
            "",
            *grid(["`nnrun sweep`", "seconds", "CPU seconds"], swept),
            "",
            "Milliseconds a setting beyond the first, in one process (peers: an `SGDClassifier`)",
            "",
            *grid(["", "ms", "CPU ms"], [[name, *cells] for name, cells in peers.items()]),
        ]
    )


def _each(few: Taken, many: Taken, more: int) -> list[str]:
    """Milliseconds and CPU milliseconds of each of the settings that many have more than few."""
    return [f"{1000 * (b - a) / more:.2f}" for a, b in zip(few[:2], many[:2], strict=True)]


def _planned(title: str, file: Path, settings: int, rounds: int) -> list[str]:
    command = [sys.executable, "-c", _PLAN, str(file), str(settings)]
    found = [json.loads(subprocess.check_output(command)) for _ in range(rounds)]
    first, whole, peak = zip(*found, strict=True)
    return [title, f"{median(first):.3f}", f"{median(whole):.2f}", f"{max(peak):.0f}"]


def _swept(title: str, words: list[str]) -> Taken:
    """Once: it takes a minute."""
    return nnrun("sweep", *words, "--results", title.replace(" ", "_"), "-q", "-j", "1")


if __name__ == "__main__":
    print(kinds([int(word) for word in sys.argv[1:]] or [2_000]))
