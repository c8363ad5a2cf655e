"""S5: grids of many settings: how soon the first run starts, sweeps beside seeds and beside peers.

NNRUN_PEERS names an interpreter that has the peers (hydra-joblib-launcher, optuna, ray[tune],
scikit-learn); by default it is this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from tests.benchmarks.folders import CONFIG, Taken, in_temporary_folder, nnrun
from tests.benchmarks.sweepers import measured
from tests.benchmarks.tables import grid

ID = "S5"
PLANNED, SWEPT = (200, 2_000, 20_000), 20_000
_FEW, _FEW_PAIRS, _PAIRS = 200, 10, 50

# What a sweep does before its first run; its own peak memory, above that of one setting.
_PLAN = """
import json, sys, time
from pathlib import Path
from nnrun.sweeps.planning.variants import Datasets
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


def written(settings: int) -> Path:
    """A config with a grid of this many learning rates."""
    file = Path(f"grid{settings}.yaml")
    rates = [round(0.1 + number / 1e6, 6) for number in range(settings)]
    file.write_text(f"{CONFIG}sweep: {{grid: {{training.learning_rate: {rates}}}}}\n")
    return file


def structural(values: int) -> Path:
    """A config with a grid of this many units and batch sizes."""
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
