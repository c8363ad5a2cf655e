"""S4, and `python -m tests.benchmarks.folders`: folders of many runs, as whole processes.

The latter makes 20,000 complete runs of one config over seeds, and 2,000 configs over ten seeds,
from one run that is trained, and measures seconds and peak memory of the commands that look at
them; each is the median of some rounds, after a first one that makes the index.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.grid import Arguments
from nnrun.sweeps.planning.validate import make_plan
from tests.benchmarks.grid import grid
from tests.forging import forge, said

ID = "S4"
CONFIG = """\
dataset: {name: iris, features: standard}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 500}
"""
RUNS, ROWS, SEEDS = 20_000, 2_000, 10


# Its own peak: that of a child also counts what its parent had before it became another program.
_WITH_PEAK = """
import runpy, sys
sys.argv[0] = "nnrun"
try:
    runpy.run_module("nnrun", run_name="__main__", alter_sys=True)
finally:
    print(open("/proc/self/status").read(), file=sys.stderr)
"""


def nnrun(*words: str, **environment: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a command."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _WITH_PEAK, *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, **environment}, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return seconds, int(done.stderr.rpartition("VmHWM:")[2].split()[0]) / 1000


def fill(root: Path, template: Path, words: Sequence[str], seeds: int) -> None:
    """Complete runs, as a sweep would have left them, with the files of another run."""
    arguments = Arguments.parse(words, seeds, None)
    plan = make_plan({"iris.yaml": Path("iris.yaml")}, arguments, Datasets())
    report = said(template / "report.json")
    files = {
        path.name: path.read_bytes()
        for path in template.iterdir()
        if path.name != "report.json" and path.is_file()
    }
    for number, run in enumerate(plan.runs()):
        folder = root / run.variant.name / run.run_id
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        config = {**json.loads(run.variant.config), "seed": run.seed}
        report |= {"seed": run.seed, "run_id": run.run_id, "config": config}
        report["metrics"]["test"]["accuracy"] = number % 31 / 30
        forge(folder / "report.json", report)


def filled() -> None:
    """20,000 complete runs in the folder `many` of the current one."""
    Path("iris.yaml").write_text(CONFIG)
    nnrun("train", "iris.yaml", "--results", "template", "-q")
    fill(Path("many"), _template(), [], RUNS)


def _template() -> Path:
    return next(Path("template/iris").iterdir())


def listing() -> Iterator[tuple[str, float, float]]:
    """What S4 asks for: `ls` for the first time, again, and after a run has gone unnoticed."""
    yield ("the first time", *nnrun("ls", "--results", "many"))
    yield ("again", *nnrun("ls", "--results", "many"))
    shutil.rmtree(next(Path("many/iris").glob("s*")))
    yield ("after one folder was removed behind its back", *nnrun("ls", "--results", "many"))


def table(rounds: int) -> str:
    """A Markdown table of S4: medians of seconds, the largest peaks."""
    found: dict[str, list[tuple[float, float]]] = {}
    with in_temporary_folder():
        filled()
        for _ in range(rounds):
            for index in Path("many").glob(".index*"):
                index.unlink()
            for name, seconds, memory in listing():
                found.setdefault(name, []).append((seconds, memory))
    rows = []
    for name, values in found.items():
        seconds, memory = zip(*values, strict=True)
        rows.append([name, f"{median(seconds):.2f}", f"{max(memory):.0f}"])
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


def measured(rounds: int) -> Iterator[tuple[str, float, float]]:
    """What was measured, in seconds and megabytes; in the current folder."""
    filled()
    rates = ",".join(str(k / 10_000) for k in range(1, ROWS + 1))
    fill(Path("grid"), _template(), [f"training.learning_rate={rates}"], SEEDS)
    yield ("the index of 20,000 runs is made", *nnrun("ls", "--results", "many"))
    nnrun("ls", "--results", "grid")
    completing = {
        "COMP_WORDS": "nnrun show --results many iris/s1",
        "COMP_CWORD": "4",
        "_NNRUN_COMPLETE": "bash_complete",
    }
    commands = {
        "nothing: nnrun --version": (["--version"], {}),
        "ls, 20,000 runs of one config": (["ls", "--results", "many"], {}),
        "ls, 2,000 configs × 10 seeds": (["ls", "--results", "grid"], {}),
        "ls --sort test --top 5": (["ls", "--sort", "test", "--top", "5", "--results", "many"], {}),
        "show latest": (["show", "latest", "--results", "many"], {}),
        "completion of a run": ([], completing),
        "sweep over 1 complete run": (["sweep", "iris.yaml", "--results", "many", "-q"], {}),
        "sweep over 20,000 complete runs": (
            ["sweep", "iris.yaml", "--seeds", str(RUNS), "--results", "many", "-q"], {},
        ),
        "ls --leaderboard, that of 1 row": (["ls", "--leaderboard", "--results", "many"], {}),
    }  # fmt: skip
    for name, (words, environment) in commands.items():
        found = [nnrun(*words, **environment) for _ in range(rounds)]
        seconds, memory = zip(*found, strict=True)
        yield name, median(seconds), max(memory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.folders")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with in_temporary_folder():
        print("| command | seconds | peak memory, MB |\n| :-- | --: | --: |")
        for name, seconds, memory in measured(arguments.rounds):
            print(f"| {name} | {seconds:.2f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
