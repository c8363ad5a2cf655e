"""Trains runs on this processor and on emulated ARM64 ones: their bits must be the same.

    python -m tests.arm64

Packages come from Debian by apt, which need not be root here, and from PyPI. They go into a
temporary folder, and nothing outside of it is changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.arm64.emulated import ROOT, EmulatedPython
from tests.arm64.train import PROCESSORS

TRAIN = ("-m", "tests.arm64.train")
# What `nnrun/docs/reproducibility.md` promises; the loss of a baseline is a product of the BLAS.
PARTS = ("status", "stopped_early", "best_iteration", "weights_sha256", "metrics")


def outcome(folder: Path) -> dict[str, Any]:
    """What must be equal, and the processor that machine code was made for."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    found = {part: report[part] for part in PARTS}
    history = (folder / "history.csv").read_text(encoding="utf-8")
    return {**found, "history": history, "code": report["environment"]["machine_code"]}


def compare(here: Path, there: Path, names: Sequence[str], processor: str) -> list[str]:
    """A line for each run that is not the same on both."""
    wrong = []
    for name in names:
        (folder,) = (there / "results" / name).glob("s*")
        ours = outcome(here / folder.relative_to(there))
        theirs = outcome(folder)
        del ours["code"]
        where = theirs.pop("code")
        differing = [part for part, value in ours.items() if value != theirs[part]]
        state = f"differ in {', '.join(differing)}" if differing else "the same bits"
        sys.stdout.write(f"{name}: here and {where}: {state}\n")
        if differing or not where.startswith(processor):
            wrong.append(name)
    return wrong


def main(folder: Path) -> int:
    """Compare, and count."""
    here = folder / "here"
    subprocess.run([sys.executable, *TRAIN, here], check=True, cwd=ROOT)
    python = EmulatedPython(folder)
    passed = failed = 0
    for processor, names in PROCESSORS.items():
        there = folder / processor
        environment = {"QEMU_CPU": processor, "NNRUN_CACHE": str(folder / "cache")}
        python.run(*TRAIN, str(there), *names, **environment)
        wrong = compare(here, there, names, processor)
        passed, failed = passed + len(names) - len(wrong), failed + len(wrong)
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(Path(made)))
