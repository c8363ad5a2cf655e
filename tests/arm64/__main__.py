"""Trains runs on this processor and again on an emulated ARM64 one: the bits must be the same.

    python -m tests.arm64            what it needs goes into a temporary folder
    python -m tests.arm64 FOLDER     or into this one, which is used as it is if it is there

The second training is `nnrun verify`, which compares history, metrics, weights and the rest of each
report. Packages come from Debian by apt, which need not be root, and from PyPI; nothing outside of
the folder is changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.arm64.configs import CONFIGS, ITERATIONS, SHIPPED
from tests.arm64.emulated import ROOT, EmulatedPython

Verified = list[dict[str, Any]]


def train(folder: Path) -> Path:
    """Train all configs here; the results folder."""
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(f"{text}seed: 3\n", encoding="utf-8")
    results = folder / "results"
    shipped = [ROOT / "configs" / f"{name}.yaml" for name in SHIPPED]
    for files in ([*folder.glob("*.yaml")], [*shipped, "--iterations", str(ITERATIONS)]):
        words = [*map(str, files), "training.engine=compiled", "--seeds", "1", "-q"]
        command = [sys.executable, "-m", "nnrun", "sweep", *words, "--results", str(results)]
        subprocess.run(command, check=True)
    return results


def verify(python: EmulatedPython, results: Path, cache: Path) -> Verified:
    """Train all of them again on ARM64; what `nnrun verify` says of each."""
    said = python.run(
        "-m", "nnrun", "verify", "--jobs", "1", "--json", "--results", str(results),
        NNRUN_CACHE=str(cache), XDG_STATE_HOME=str(cache / "state"),
    )  # fmt: skip
    verified: Verified = json.loads(said)["runs"]
    return verified


def faults(verified: Verified) -> list[str]:
    """Of runs that have not the same bits, or were not trained on another processor."""
    found = []
    for run in verified:
        name, environment = run["name"], run["environment"]
        if run["finding"] != "same_bits":
            found.append(f"{name}: {run['finding']}: {run['reason']} {run['differences'][:1]}")
        if environment["architecture"][-1] != "aarch64" or "machine_code" not in environment:
            found.append(f"{name}: not trained on ARM64, but with {environment}")
    return found


def main(folder: Path) -> int:
    """Say what was found."""
    python = EmulatedPython(folder)
    with tempfile.TemporaryDirectory() as scratch:
        results = train(Path(scratch))
        verified = verify(python, results, Path(scratch, "cache"))
    wrong = faults(verified)
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    if len(CONFIGS) + len(SHIPPED) != len(verified):
        wrong.append(f"{len(verified)} runs were verified")
    sys.stdout.write(f"{len(verified) - len(wrong)} passed, {len(wrong)} failed\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(Path(made)))
