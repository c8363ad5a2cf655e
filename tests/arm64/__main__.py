"""Trains runs on this processor and on emulated ARM64 ones: their bits must be the same.

    python -m tests.arm64

Packages come from Debian by apt, which need not be root here, and from PyPI. They go into a
temporary folder, and nothing outside of it is changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import distributions, requires
from pathlib import Path
from typing import Any

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


def unpack(folder: Path, architecture: str, *packages: str) -> None:
    """Download packages with all that they need, and unpack them.

    Root is not needed, and what is installed stays as it is: apt is given a state of its own in
    the folder, in which nothing is installed and the architecture is the only one.
    """
    state = folder / "apt"
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures::": architecture,
        "APT::Install-Recommends": "false",
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",  # no other user could read a temporary folder
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "install", "--download-only", "--yes", *packages], check=True)
    for archive in (state / "archives").glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)


ROOT = Path(__file__).parents[2]
# Wheels are looked for by each version of glibc; Debian 12 has 2.36.
GLIBC = range(17, 37)
# The packages that runs import, with many modules.
IMPORTED = ("numpy", "pydantic", "llvmlite", "yaml")


class EmulatedPython:
    """Debian's QEMU and Python, unpacked, and packages of the versions that this Python has.

    Args:
        folder: for all of it, half a gigabyte.
    """

    def __init__(self, folder: Path) -> None:
        self._packages = folder / "packages"
        native = _output("dpkg", "--print-architecture").strip()
        unpack(folder / "emulator", native, "qemu-user", "python3-minimal")
        unpack(folder / "system", "arm64", "python3", "libstdc++6")
        (folder / "system/lib").symlink_to("usr/lib")  # as in every Debian
        self._command = [
            str(folder / "emulator/usr/bin/qemu-aarch64"),
            "-L", str(folder / "system"),
            str(folder / "system/usr/bin/python3"),
        ]  # fmt: skip
        self._install(folder / "constraints.txt")
        self._compile(folder / "emulator/usr/bin/python3", folder / "system/usr/lib")

    def run(self, *words: str, **environment: str) -> str:
        """What it prints, given some words and variables of the environment.

        `QEMU_CPU` is the processor; by default one that QEMU makes up, with all there is.
        """
        paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{self._packages}"}
        return _output(*self._command, *words, **paths, **environment)

    def _install(self, constraints: Path) -> None:
        installed = (f"{one.name}=={one.version}\n" for one in distributions())
        constraints.write_text("".join(sorted(installed)), encoding="utf-8")
        version = self.run("-c", "import sys; print('{}.{}'.format(*sys.version_info))").strip()
        platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in GLIBC]
        needed = [line for line in requires("nnrun") or [] if "extra ==" not in line]
        subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--no-compile",
                "--target", self._packages,
                "--only-binary=:all:", f"--python-version={version}", *platforms,
                "--constraint", constraints, *needed,
            ],
            check=True,
        )  # fmt: skip

    def _compile(self, python: Path, library: Path) -> None:
        """Compile modules by the same Python for this processor, which is not emulated."""
        modules = [*library.glob("python3.*"), ROOT / "nnrun"]
        modules += [self._packages / name for name in IMPORTED]
        subprocess.run([python, "-m", "compileall", "-q", "-x", "/tests/", *modules], check=True)


def _output(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(Path(made)))
