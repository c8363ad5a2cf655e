"""`python -m tests.benchmarks.long_run --minutes 60`: whether anything grows while nnrun sweeps.

Three programs work side by side for that time: a sweep over many seeds; a sweep over many settings,
each of which needs compiled code of its own; and a Python session that sweeps, trains and predicts
again and again. Memory, open files, threads and children of their processes are sampled, and the
sizes of temporary files, index and compiled code. Then the sweeps get a Ctrl-C. The program ends
with exit code 1 if anything grew by more than `BOUNDS` allow, or is left over.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from nnrun.runs.storage.progress import PROGRESS
from nnrun.runs.storage.sweep_progress import FOLDER
from tests.benchmarks.processes import NNRUN
from tests.benchmarks.tables import grid
from tests.sweeps.helpers import in_session

KIB, MIB = 1024, 1024**2
RUNS = "runs"
# By the first words of a quantity: how many units it may grow by between the second quarter of the
# time and the last one, at all and with each run. A sweep keeps the scores of each run in memory,
# the index has a line for it, and the cache the code of each new network, up to 256 MB; nothing
# else may grow.
BOUNDS: dict[str, tuple[int, int]] = {
    "memory of the client": (4 * MIB, KIB),
    "memory": (8 * MIB, 0),
    "index": (MIB, 16 * KIB),
    "compiled code": (MIB, 32 * KIB),
}
Sample = dict[str, float]


@dataclass(frozen=True)
class Growth:
    """One quantity: its medians in the second and in the last quarter of the samples."""

    quantity: str
    before: float
    after: float
    bound: float

    @property
    def passes(self) -> bool:
        return self.after - self.before <= self.bound


def growths(samples: Sequence[Sample]) -> Iterator[Growth]:
    """How each quantity grew; medians, since files are opened and closed all the time."""
    quarter = len(samples) // 4
    if not quarter:
        raise SystemExit("there are fewer than four samples; what it printed is in output.txt")
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    runs = last[0][RUNS] - second[0][RUNS]
    for quantity in second[0]:
        if quantity != RUNS:
            at_all, each = next((b for q, b in BOUNDS.items() if quantity.startswith(q)), (0, 0))
            before, after = (median(one[quantity] for one in part) for part in (second, last))
            yield Growth(quantity, before, after, at_all + each * runs)


def of_process(process: psutil.Process, role: str) -> Sample:
    """A sample of one process."""
    with process.oneshot():
        return {
            f"memory of the {role}": process.memory_info().rss,
            f"open files of the {role}": process.num_fds(),
            f"threads of the {role}": process.num_threads(),
            f"children of the {role}": len(process.children()),
        }


PROGRAMS = ("seeds", "settings", "session")
SAMPLES = 360
ENDING_SECONDS = 60
# The index, and how far a sweep had come that was not finished.
KEPT = (".index", FOLDER, PROGRESS)
SEEDS = """\
dataset: {name: iris, features: standard}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 500000}
sweep: {seeds: 100000}
"""
SETTINGS = """\
dataset: {name: iris, features: standard}
network: {sizes: [6, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {optimizer: {type: sgd, momentum: 0.5}, learning_rate: 0.01, iterations: 2000}
sweep: {grid: {training.optimizer.momentum: [%s]}}
"""
MANY_SETTINGS = ", ".join(f"{number / 100_000:.5f}" for number in range(1, 40_001))
SWEEP = [*NNRUN, "sweep", "config.yaml", "-j", "1", "--max-runs", "1000000"]


@dataclass
class Subject:
    """A program that is watched, in a folder of its own."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]
    samples: list[Sample] = field(default_factory=list)

    @classmethod
    def started(cls, name: str, root: Path, command: list[str], config: str) -> Subject:
        """Start a program, with a cache and temporary files of its own."""
        folder = root / name
        for part in ("cache", "tmp"):
            (folder / part).mkdir(parents=True)
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        places = {"NNRUN_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp")}
        with (folder / "output.txt").open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **places, "PYTHONPATH": os.getcwd()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(name, folder, process)

    def sample(self) -> None:
        """Look at a sweep, its worker and its files; a session looks at itself."""
        own = self.folder / "samples.jsonl"
        if own.exists():
            lines = own.read_text(encoding="utf-8").splitlines()
            self.samples = [json.loads(line) for line in lines]
            return
        found: Sample = {RUNS: sum(len(os.listdir(path)) for path in self._experiments())}
        with suppress(psutil.NoSuchProcess, IndexError):
            client = psutil.Process(self.process.pid)
            found |= of_process(client, "client") | of_process(client.children()[0], "worker")
            found["temporary files"] = len(os.listdir(self.folder / "tmp"))
            found["index, bytes"] = _bytes_in(self.folder.glob("results/.index*"))
            found["compiled code, bytes"] = _bytes_in(self.folder.glob("cache/*/*"))
            self.samples.append(found)

    def end(self) -> str:
        """Press Ctrl-C; what is wrong with the end, or an empty text."""
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            return f"did not end within {ENDING_SECONDS} seconds"
        hidden = (path for path in self.folder.rglob(".*") if not path.name.startswith(KEPT))
        left = [str(path) for path in hidden]
        left += os.listdir(self.folder / "tmp")
        left += [f"process {pid}" for pid in in_session(self.process.pid)]
        wrong = f"exit code {code}; " if code != 130 else ""
        return wrong + (f"left over: {', '.join(left[:5])}" if left else "")

    def _experiments(self) -> Iterator[Path]:
        return (path for path in self.folder.glob("results*/*") if path.is_dir())


def _bytes_in(paths: Iterator[Path]) -> int:
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def watch(programs: Sequence[str], root: Path, seconds: float) -> tuple[list[Subject], list[str]]:
    """The programs after they have worked for so long, and what is wrong with their ends."""
    session = [sys.executable, "-m", "tests.benchmarks.long_session"]
    commands = {
        "seeds": (SWEEP, SEEDS),
        "settings": (SWEEP, SETTINGS % MANY_SETTINGS),
        "session": (session, ""),
    }
    subjects = [Subject.started(name, root, *commands[name]) for name in programs]
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            time.sleep(seconds / SAMPLES)
            for subject in subjects:
                subject.sample()
        wrong = [f"{subject.name}: {text}" for subject in subjects if (text := subject.end())]
    finally:
        for subject in subjects:
            with suppress(ProcessLookupError):
                os.killpg(subject.process.pid, signal.SIGKILL)
    return subjects, wrong


def table(subjects: list[Subject]) -> tuple[str, bool]:
    """A Markdown table of what grew, and whether all of it stays within its bounds."""
    rows, passes = [], True
    for subject in subjects:
        for growth in growths(subject.samples):
            runs = subject.samples[-1][RUNS]
            rows.append([subject.name, f"{runs:,.0f}", *_row(growth)])
            passes &= growth.passes
    header = ["", "runs", "median of", "2nd quarter", "last quarter", "may grow by", ""]
    return "\n".join(grid(header, rows)), passes


def _row(growth: Growth) -> list[str]:
    numbers = (growth.before, growth.after, growth.bound)
    return [growth.quantity, *(f"{n:,.0f}" for n in numbers), "" if growth.passes else "GROWS"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.long_run")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=PROGRAMS)
    parser.add_argument("--folder", type=Path, help="an empty folder, kept; else a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = (arguments.folder or Path(folder)).absolute()
        subjects, wrong = watch(arguments.only, root, 60 * arguments.minutes)
        for subject in subjects:
            (root / f"{subject.name}.json").write_text(json.dumps(subject.samples))
        shown, passes = table(subjects)
        print("\n".join([shown, *wrong]))
        sys.exit(not passes or bool(wrong))


if __name__ == "__main__":
    main()
