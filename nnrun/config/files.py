"""The configs among files and folders."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from nnrun.errors import UsageError

SUFFIXES = (".yaml", ".yml")


def config_files(paths: Sequence[Path], recursive: bool = False) -> list[Path]:
    """The files, and for each folder the YAML files in it, each once.

    Raises:
        UsageError: there is none in a folder.
    """
    files: dict[str, Path] = {}
    for path in paths:
        found = _in_folder(path, recursive) if path.is_dir() else [path]
        if not found:
            raise UsageError(f"argument '{path}': no {' or '.join(SUFFIXES)} file in there")
        for file in found:
            place = os.path.realpath(file)  # works for a link to itself, too
            same = files.get(place)
            # The file rather than a link to it: results are named after it.
            if same is None or (same.is_symlink() and not file.is_symlink()):
                files[place] = file
    return list(files.values())


def init_hint(name: str) -> str:
    """How to get a config for a data file."""
    return f"`nnrun init NAME --data {shlex.quote(name)}` writes a config for it"


def _in_folder(folder: Path, recursive: bool) -> list[Path]:
    entries = folder.rglob("*") if recursive else folder.iterdir()
    hidden = (".",)
    return sorted(
        entry
        for entry in entries
        if entry.suffix in SUFFIXES and not entry.name.startswith(hidden) and entry.is_file()
    )
