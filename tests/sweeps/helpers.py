"""What the tests of sweeps share besides fixtures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.events import Listener
from nnrun.runs.storage.store import Store
from nnrun.sweeps.workers.base import InlineWorkers, ProcessWorkers
from tests.forked import COMMANDS, Forked
from tests.waiting import PATIENCE_SECONDS, until

IRIS = """
dataset: {name: iris, features: standard}
network: {sizes: [4, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 60, batch_size: 8}
seed: 3
"""
BOSTON = """
dataset: {name: boston, features: standard}
network: {sizes: [5, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 60}
"""
# By the NumPy engine it takes longest of these, and so is begun first.
WILD = BOSTON.replace("0.01", "10.0").replace("60", "2000, engine: numpy")


def large() -> bool:
    """Whether campaigns run at full size; asked late, when pytest knows its options."""
    return bool(os.environ.get("NNRUN_TEST_LARGE"))


def make_store(root: Path) -> Store:
    """A results folder whose reports are quick to make."""
    return Store(root, lambda result: f"{result.record.name}\n", RunIndex(root))


def lasting(iterations: int) -> str:
    """A config whose runs last: some 30 µs for each iteration, whatever the machine can compile."""
    return IRIS.replace("iterations: 60", f"engine: numpy, iterations: {iterations}")


class Diary(Listener):
    """Records the calls it gets."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def ended(self, wide, record, progress, *, trained):
        self.lines.append(("trained" if trained else "found", wide.key))

    def failed(self, wide, reason):
        self.lines.append(("failed", reason))

    def retried(self, wide, reason):
        self.lines.append(("retried", reason))

    def warn(self, text):
        self.lines.append(("warned", text))

    def of(self, kind: str) -> list[str]:
        return [text for known, text in self.lines if known == kind]


def weights_of(root: Path) -> dict[str, str]:
    """The fingerprint of each run of a results folder, all of which must be complete."""
    reports = sorted(root.glob("*/*/report.json"))
    found = {str(path.parent.relative_to(root)): json.loads(path.read_text()) for path in reports}
    assert {"completed"} == {report["status"] for report in found.values()}
    return {key: report["weights_sha256"] for key, report in found.items()}


class Shell:
    """Runs the command line in processes, each the leader of a group of its own.

    Args:
        folder: that they run in.
        loaded: the modules that they begin with.
    """

    def __init__(self, folder: Path, loaded: tuple[str, ...] = COMMANDS) -> None:
        self.folder = folder
        self.loaded = loaded
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *words: object) -> subprocess.Popen[str]:
        process = Forked(
            self.loaded,
            ["nnrun", *map(str, words)],
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *words: object) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        process = self.start(*words)
        out, err = self.end(process)
        return process.returncode, out, err

    def end(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """What a process has written when it ends, however slow the machine is: it is given up when
        no file in the folder has changed for a long time.
        """
        seen, since = self._files(), time.monotonic()
        while time.monotonic() - since < PATIENCE_SECONDS:
            try:
                return process.communicate(timeout=1.0)
            except subprocess.TimeoutExpired:
                if (found := self._files()) != seen:
                    seen, since = found, time.monotonic()
        raise AssertionError(f"{process.args} stands still")

    def _files(self) -> dict[str, int]:
        """When each file of the folder was changed."""
        found = {}
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with suppress(FileNotFoundError):
                    found[f"{folder}/{name}"] = os.lstat(f"{folder}/{name}").st_mtime_ns
        return found

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for stream in (process.stdout, process.stderr):
                stream.close()


def children_of(pid: int) -> list[int]:
    """The living processes whose parent this one is."""
    return [found for found, parent, _ in _processes() if parent == pid]


def in_session(pid: int) -> list[int]:
    """The living processes of the session that this one leads."""
    return [found for found, _, session in _processes() if session == pid]


def processor_seconds(pid: int) -> float:
    """What the living processes of the session that this one leads have computed for."""
    ticks = 0
    for found in in_session(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{found}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _processes() -> Iterator[tuple[int, int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            state, parent, _, session = fields[:4]
            if state != "Z":
                yield int(entry.name), int(parent), int(session)


def wait_for_workers(client: int, workers: int) -> None:
    """Wait until this many have computed for a while, however busy the machine is: those that begin
    as copies are at work then.
    """

    def worked(process: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess):
            return bool(process.cpu_times().user >= 0.3)
        return False

    children = psutil.Process(client).children
    until(lambda: sum(map(worked, children())) == workers, pause=0.1)


LONG = lasting(100_000_000)


def run_inline(sweep):
    return sweep.run(InlineWorkers(sweep.receive, sweep.stopping))


def run_processes(sweep, workers=2):
    return sweep.run(ProcessWorkers(workers))


class Observed(ProcessWorkers):
    """Processes whose runs in hand can be looked at whenever the sweep waits."""

    def __init__(self, workers, look):
        super().__init__(workers)
        self.look = look

    def wait(self, awaited, seconds):
        self.look(self)
        super().wait(awaited, seconds)


def in_hand(workers):
    return [len(worker.tasks) for worker in workers._workers]


def killing(when, times=1):
    """Kills the first process, this many times, as soon as it has this many runs in hand."""
    killed = set()

    def look(workers):
        if len(killed) < times and workers._workers and when(in_hand(workers)[0]):
            pid = workers._workers[0].process.pid
            if pid not in killed:
                os.kill(pid, signal.SIGKILL)
            killed.add(pid)

    return look


def instead_of_run(seed: int, statement: str) -> str:
    """A module for worker processes that do this in place of the run with this seed."""
    return f"""
import os
from nnrun.sweeps.workers import job
from nnrun.sweeps.workers.base import main

real = job.execute_job

def execute_job(one, *more):
    if one.replicate.seed == {seed}:
        {statement}
    return real(one, *more)

job.execute_job = execute_job
"""


def words_of(grid):
    """The arguments of a sweep for the values of each key."""
    return [f"{key}={','.join(map(json.dumps, values))}" for key, values in grid.items()]
