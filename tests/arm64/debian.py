"""Packages of Debian for any architecture, unpacked into a folder without being installed."""

from __future__ import annotations

import subprocess
from pathlib import Path


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
