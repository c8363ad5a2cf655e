"""Sweeps that are killed at random moments, or run many times at once.

A few moments of each kind, or with `-m campaign` as many as it takes to believe it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.sweeps.helpers import (
    BOSTON,
    IRIS,
    Shell,
    children_of,
    in_session,
    large,
    lasting,
    processor_seconds,
    weights_of,
)
from tests.waiting import until

pytestmark = pytest.mark.campaign

GROUP_KILLS = 200 if large() else 2
WORKER_KILLS = 20 if large() else 1
CLIENT_KILLS = 20 if large() else 1
IDENTICAL, TIMES = (16, 10) if large() else (2, 1)


@pytest.fixture
def configs(write):
    """Four configs for five seeds: 20 runs of some 30 ms."""
    for number, text in enumerate((IRIS, BOSTON, lasting(800), lasting(1500))):
        write(f"config{number}", text)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_group_goes_on(shell, configs, jobs):
    """SIGKILL to the client and its workers: the same command finishes the 20 runs."""
    campaign = Campaign(shell, ["sweep", "configs", "--seeds", 5, "-j", jobs], seed=jobs)
    for moment in range(GROUP_KILLS // 2) if large() else [jobs - 1]:
        process, root = campaign.start(moment)
        kill_group(process)
        campaign.finish(root)


def test_a_killed_client_leaves_no_worker(shell, configs):
    """SIGKILL to the client alone: its workers end by themselves, hardly computing any more."""
    campaign = Campaign(shell, ["sweep", "configs", "--seeds", 5, "-j", 2], seed=3)
    for moment in range(CLIENT_KILLS):
        process, root = campaign.start(moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        most = processor_seconds(process.pid) + 2
        until(lambda pid=process.pid, most=most: is_over(pid, most))
        campaign.finish(root)


def is_over(pid, most):
    """Whether nothing is left of a session, which may have computed for this many seconds."""
    assert processor_seconds(pid) < most
    return not in_session(pid)


def test_a_killed_worker_is_replaced(shell, configs):
    """SIGKILL to one worker of two: the sweep itself finishes the 20 runs."""
    campaign = Campaign(shell, ["sweep", "configs", "--seeds", 5, "-j", 2], seed=4)
    killed = 0
    for moment in itertools.count(0 if large() else 1):  # of the odd ones, after its first result
        process, root = campaign.start(moment)
        for pid in children_of(process.pid)[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        _, err = shell.end(process)
        assert 0 == process.returncode, err
        campaign.hold(root)
        if killed == WORKER_KILLS:  # at other moments there was none yet, or none any more
            break


def test_identical_sweeps_share_the_work(shell, configs, tmp_path):
    """Started at once, they train each run once between them, and each shows all of them."""
    for turn in range(TIMES):
        words = ["sweep", "configs", "--seeds", 5, "--json", "--results", f"r{turn}"]
        sweeps = [shell.start(*words, "-j", 2 - turn % 2) for _ in range(IDENTICAL)]
        ends = [shell.end(sweep) for sweep in sweeps]
        assert [0] * IDENTICAL == [sweep.returncode for sweep in sweeps], ends[0][1]
        data = [json.loads(out) for out, _ in ends]
        assert 20 == sum(one["trained"] for one in data)
        assert [20] * IDENTICAL == [one["trained"] + one["complete_before"] for one in data]
        boards = [[group["rows"] for group in one["leaderboard"]["groups"]] for one in data]
        assert all(boards[0] == board for board in boards)
        root = tmp_path / f"r{turn}"
        assert 20 == len(weights_of(root))
        assert 100 == len(complete_files(root))


# What a campaign of kills does at each moment, and what must hold after it.

# Time and weights of sweeps that nothing happens to, by their words and configs.
_REFERENCES: dict[tuple[str, ...], tuple[float, float, dict[str, str]]] = {}


class Campaign:
    """Kills in a sweep of 20 runs, each in a results folder of its own.

    Args:
        shell: runs the commands.
        words: of the sweep, without its results folder.
        seed: of the moments.
    """

    def __init__(self, shell: Shell, words: list[object], seed: int) -> None:
        self.shell = shell
        self.words = words
        self.moments = random.Random(seed)
        # How long the sweep takes when nothing happens: all of it, and from its first result on.
        self.seconds, self.rest, self.expected = self._reference()
        assert 20 == len(self.expected)

    def _reference(self) -> tuple[float, float, dict[str, str]]:
        configs = sorted((self.shell.folder / "configs").iterdir())
        key = (*map(str, self.words), *(path.read_text() for path in configs))
        if key not in _REFERENCES:
            _REFERENCES[key] = self._undisturbed()
        return _REFERENCES[key]

    def _undisturbed(self) -> tuple[float, float, dict[str, str]]:
        root, start = self.shell.folder / "whole", time.monotonic()
        process = self.shell.start(*self.words, "--results", root.name)
        wait_for_first(process, root)
        first = time.monotonic()
        _, err = self.shell.end(process)
        assert 0 == process.returncode, err
        end = time.monotonic()
        return end - start, end - first, weights_of(root)

    def start(self, moment: int) -> tuple[subprocess.Popen[str], Path]:
        """Begin a sweep, and wait for a random moment of it; every other time, for one after its
        first result, since it takes longer to start than to train.
        """
        root = self.shell.folder / f"results{moment}"
        process = self.shell.start(*self.words, "--results", root.name)
        if moment % 2:
            wait_for_first(process, root)
        time.sleep(self.moments.uniform(0, self.rest if moment % 2 else self.seconds))
        return process, root

    def finish(self, root: Path) -> None:
        """The same command must finish, and touch nothing that was finished."""
        before = complete_files(root)
        code, _, err = self.shell.run(*self.words, "--results", root.name)
        assert 0 == code, err
        self.hold(root, before)

    def hold(self, root: Path, before: dict[Path, tuple[str, int]] | None = None) -> None:
        """20 of 20 reports that parse, the same bits, no temporary file."""
        assert self.expected == weights_of(root)
        for path in root.rglob("*.json"):
            json.loads(path.read_text())
        after = complete_files(root)
        for path, stamp in (before or {}).items():
            assert stamp == after[path], f"{path} was touched"
        left = [path.name for path in root.rglob("*") if path.name.startswith(".")]
        assert [] == left
        assert [] == list(root.glob("*/*/checkpoint.safetensors"))
        shutil.rmtree(root)


def wait_for_first(process: subprocess.Popen[str], root: Path) -> None:
    """Until a sweep has a result, or has ended without."""
    while process.poll() is None and not list(root.glob("*/*/report.json")):
        time.sleep(0.01)


def complete_files(root: Path) -> dict[Path, tuple[str, int]]:
    """The digest and time of each file of a finished run."""
    found = {}
    for report in root.glob("*/*/report.json"):
        if json.loads(report.read_text())["status"] == "completed":
            for path in report.parent.iterdir():
                if not path.name.startswith(".") and path.name != "checkpoint.safetensors":
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    found[path] = digest, path.stat().st_mtime_ns
    return found


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL to the whole process group; nothing of it may be left."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: not in_session(process.pid))
