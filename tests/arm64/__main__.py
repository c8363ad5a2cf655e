"""Trains runs on this processor and on an emulated ARM64 one: their bits must be the same.

    python -m tests.arm64

Packages come from Debian by apt, which need not be root here, and from PyPI. They go into a
temporary folder, and nothing outside of it is changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.arm64.configs import CONFIGS, SHIPPED
from tests.arm64.emulated import ROOT, EmulatedPython

TRAIN = ("-m", "tests.arm64.train")
# What `nnrun/docs/reproducibility.md` promises; the loss of a baseline is a product of the BLAS.
PARTS = ("status", "stopped_early", "best_iteration", "weights_sha256", "metrics")


def outcome(folder: Path) -> dict[str, Any]:
    """What must be equal, and where it was computed."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    found = {part: report[part] for part in PARTS}
    history = (folder / "history.csv").read_text(encoding="utf-8")
    return {**found, "history": history, "architecture": report["environment"]["architecture"]}


def compare(here: Path, there: Path) -> list[str]:
    """A line for each run that is not the same on both."""
    wrong = []
    folders = sorted((here / "results").glob("*/s*"))
    for folder in folders:
        ours = outcome(folder)
        theirs = outcome(there / folder.relative_to(here))
        where = ours.pop("architecture"), theirs.pop("architecture")
        differing = [part for part, value in ours.items() if value != theirs[part]]
        state = f"differ in {', '.join(differing)}" if differing else "the same bits"
        sys.stdout.write(f"{folder.parent.name}: {' and '.join(where)}: {state}\n")
        if differing or where[1] != "aarch64":
            wrong.append(folder.parent.name)
    assert len(folders) == len(CONFIGS) + len(SHIPPED)
    return wrong


def main(folder: Path) -> int:
    """Compare, and count."""
    here, there = folder / "here", folder / "there"
    subprocess.run([sys.executable, *TRAIN, here], check=True, cwd=ROOT)
    python = EmulatedPython(folder)
    python.run(*TRAIN, str(there), NNRUN_CACHE=str(folder / "cache"))
    wrong = compare(here, there)
    sys.stdout.write(f"{len(CONFIGS) + len(SHIPPED) - len(wrong)} passed, {len(wrong)} failed\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(Path(made)))
