"""What a campaign of kills does at each moment, and what must hold after it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.sweeps.helpers import Shell, in_session, weights_of
from tests.waiting import until

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
