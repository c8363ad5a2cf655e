"""S4: a results folder of 20,000 runs, made from one that is trained; S5: grids of settings."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from tests.benchmarks.sweepers import measured
from tests.benchmarks.tables import grid
from tests.forging import forge, said

ID = "S4"
# Of a file in other folders: file systems have a limit.
_MOST_LINKS = 10_000
CONFIG = """\
dataset: {name: iris, features: standard}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 500}
"""
RUNS = 20_000


# Its own peak: that of a child also counts what its parent had before it became another program.
_WITH_PEAK = """
import runpy, sys, time
sys.argv[0] = "nnrun"
try:
    runpy.run_module("nnrun", run_name="__main__", alter_sys=True)
finally:
    print(open("/proc/self/status").read(), file=sys.stderr)
    print("CPU:", time.process_time(), file=sys.stderr)
"""


class Taken(NamedTuple):
    """What a command took: wall seconds, seconds of CPU time, and peak megabytes."""

    seconds: float
    cpu: float
    memory: float


def nnrun(*words: str) -> Taken:
    """Run a command."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _WITH_PEAK, *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    said = done.stderr
    cpu = float(said.rpartition("CPU:")[2])
    return Taken(seconds, cpu, int(said.rpartition("VmHWM:")[2].split()[0]) / 1000)


def fill(root: Path, template: Path, words: Sequence[str], seeds: int) -> None:
    """Complete runs, as a sweep would have left them, with the files of another run.

    Results differ between settings and, by the noise of 30 test rows, between seeds.
    """
    draw = random.Random(0)
    arguments = Arguments.parse(words, seeds, None)
    plan = make_plan({"iris.yaml": Path("iris.yaml")}, arguments, Datasets())
    report = said(template / "report.json")
    files = [path for path in template.iterdir() if path.name != "report.json" and path.is_file()]
    for number, run in enumerate(plan.runs()):
        folder = root / run.variant.name / run.run_id
        folder.mkdir(parents=True)
        for path in files:
            if number % _MOST_LINKS == 0:
                copy = root / f".{path.name}.{number}"
                copy.write_bytes(path.read_bytes())
            os.link(root / f".{path.name}.{number - number % _MOST_LINKS}", folder / path.name)
        config = {**json.loads(run.variant.config), "seed": run.seed}
        report |= {"seed": run.seed, "run_id": run.run_id, "config": config}
        right = sum(draw.random() < 0.9 - 0.3 * (run.variant.number % 97) / 97 for _ in range(30))
        report["metrics"]["test"]["accuracy"] = right / 30
        forge(folder / "report.json", report)


def filled() -> None:
    """20,000 complete runs in the folder `many` of the current one."""
    Path("iris.yaml").write_text(CONFIG)
    nnrun("train", "iris.yaml", "--results", "template", "-q")
    fill(Path("many"), next(Path("template/iris").iterdir()), [], RUNS)


def listing() -> Iterator[tuple[str, Taken]]:
    """What S4 asks for: `ls` for the first time, again, and after a run has gone unnoticed."""
    yield ("the first time", nnrun("ls", "--results", "many"))
    yield ("again", nnrun("ls", "--results", "many"))
    shutil.rmtree(next(Path("many/iris").glob("s*")))
    yield ("after one folder was removed behind its back", nnrun("ls", "--results", "many"))


def table(rounds: int) -> str:
    """A Markdown table of S4: medians of seconds, the largest peaks."""
    found: dict[str, list[Taken]] = {}
    with in_temporary_folder():
        filled()
        for _ in range(rounds):
            for index in Path("many").glob(".index*"):
                index.unlink()
            for name, taken in listing():
                found.setdefault(name, []).append(taken)
    rows = [
        [name, f"{median(one.seconds for one in all_):.2f}", f"{max(t.memory for t in all_):.0f}"]
        for name, all_ in found.items()
    ]
    title = f"{ID}: `nnrun ls` over {RUNS:,} runs"
    return "\n".join([title, "", *grid(["", "seconds", "peak memory, MB"], rows)])


@contextmanager
def in_temporary_folder() -> Iterator[None]:
    """A current folder that is gone afterwards."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


# S6: results folders of many settings × 5 seeds: what commands take as whole processes.
#
# `python -m tests.benchmarks.folders 200 2000` measures folders of these numbers of settings.

MANY = "S6"
SETTINGS, SEEDS = (2_000, 20_000), 5
_RESULTS = ("--results", "many")


def table_of_many(rounds: int, settings: Sequence[int] = SETTINGS) -> str:
    """A Markdown table of CPU seconds, which other work on the machine changes little, and peak
    memory, of one round.
    """
    found = {number: dict(commands(number)) for number in settings}
    header = ["", *(f"{number * SEEDS:,} runs: CPU s, MB" for number in settings)]
    titles = found[settings[0]]
    rows = [[title, *(_cell(found[number][title]) for number in settings)] for title in titles]
    title = (
        f"{MANY}: folders of {' and '.join(f'{n:,}' for n in settings)} settings × {SEEDS} seeds"
    )
    return "\n".join([title, "", *grid(header, rows)])


def _cell(taken: Taken) -> str:
    return f"{taken.cpu:.2f}, {taken.memory:.0f}"


def commands(settings: int) -> Iterator[tuple[str, Taken]]:
    """What each command takes with this many settings."""
    with in_temporary_folder():
        Path("iris.yaml").write_text(CONFIG)
        nnrun("train", "iris.yaml", "--results", "template", "-q")
        rates = ",".join(str(k / 100_000) for k in range(1, settings + 1))
        Path("grid.yaml").write_text(
            f"name: iris\n{CONFIG}sweep: {{grid: {{training.learning_rate: [{rates}]}}}}\n"
        )
        template = next(Path("template/iris").iterdir())
        words = [f"training.learning_rate={rates}"]
        fill(Path("many"), template, words, SEEDS)
        yield "the index is made", nnrun("ls", *_RESULTS)
        yield "`ls`", nnrun("ls", *_RESULTS)
        for folder in islice(Path("many/iris").iterdir(), 1_000):
            shutil.rmtree(folder)
        yield "after 1,000 folders were removed", nnrun("ls", *_RESULTS)
        fill_again = [*_RESULTS, "--max-runs", str(settings * SEEDS), "--seeds", str(SEEDS), "-q"]
        yield "`sweep` that trains these 1,000 again", nnrun("sweep", "grid.yaml", *fill_again)
        yield "`sweep` of complete runs alone", nnrun("sweep", "grid.yaml", *fill_again)
        yield "`ls --leaderboard`", nnrun("ls", "--leaderboard", *_RESULTS)
        yield "`ls --sort test --top 5`", nnrun("ls", "--sort", "test", "--top", "5", *_RESULTS)
        yield "`show latest`", nnrun("show", "latest", *_RESULTS)
        yield "`show iris/best`", nnrun("show", "iris/best", *_RESULTS)
        yield "`best iris`", nnrun("best", "iris", *_RESULTS)
        yield "`report`", nnrun("report", *_RESULTS)


# S5: how soon the first run of a grid starts, sweeps beside seeds and beside peers.
#
# NNRUN_PEERS names an interpreter that has the peers (hydra-joblib-launcher, optuna, ray[tune],
# scikit-learn); by default it is this one.

GRIDS = "S5"
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


def table_of_grids(rounds: int) -> str:
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
            f"{GRIDS}: grids over the learning rate of `iris_softmax` at 500 iterations",
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
    print(table_of_many(1, [int(word) for word in sys.argv[1:]] or SETTINGS))
