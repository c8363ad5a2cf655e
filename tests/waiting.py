"""Waiting for what processes do, however busy the machine is."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from nnrun.runs.storage.progress import read_progress

PATIENCE_SECONDS = 120.0
"""After so long what is waited for is not late, it does not come."""


def until(
    true: Callable[[], object], seconds: float = PATIENCE_SECONDS, pause: float = 0.01
) -> None:
    """Wait for something that must become true, asking again after each pause."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(pause)


def training(folder: Path | None = None, runs: int = 1) -> None:
    """Wait until so many runs of the results in a folder say that they have made updates."""

    def begun() -> bool:
        found = map(read_progress, (folder or Path()).glob("results/*/*"))
        return runs == sum(progress is not None and progress.iteration > 0 for progress in found)

    until(begun)


def printed(descriptor: int, text: str) -> str:
    """What comes out of a pipe or terminal until this text is there."""
    found, end = "", time.monotonic() + PATIENCE_SECONDS
    while text not in found:
        ready, _, _ = select.select([descriptor], [], [], max(end - time.monotonic(), 0))
        assert ready, found
        chunk = os.read(descriptor, 65536)
        assert chunk, found
        found += chunk.decode(errors="replace")
    return found


def ended(process: subprocess.Popen[str], seconds: float = 5.0) -> tuple[str, str]:
    """What a process writes until it ends, which takes at most so many seconds; those in which
    some process waited for a processor do not count.
    """
    before = time.monotonic() - _busy_seconds()
    found = process.communicate(timeout=PATIENCE_SECONDS)
    assert time.monotonic() - _busy_seconds() - before < seconds
    return found


def _busy_seconds() -> float:
    """How long there have been more running processes than processors, as Linux counts it."""
    try:
        some = Path("/proc/pressure/cpu").read_text().splitlines()[0]
    except OSError:  # it does not count
        return time.monotonic()
    return int(some.rpartition("total=")[2]) / 1e6
