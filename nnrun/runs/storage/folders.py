"""Listing experiment and run folders without reading any file in them."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from nnrun.config.names import is_name
from nnrun.runs.identity import by_seed, is_run_id
from nnrun.systems import system


def names_in(root: Path) -> list[str]:
    """The names of folders that may be experiments."""
    return [*filter(is_name, folders(root))]


def misnamed_in(root: Path) -> list[str]:
    """The names of folders with runs that no experiment can have, so that nothing looks at them."""
    others = (name for name in folders(root) if not is_name(name))
    return [name for name in others if any(map(is_run_id, folders(root / name)))]


def ids_in(root: Path, name: str) -> list[str]:
    """The ids of folders that may be runs of an experiment, ordered by seed."""
    found = filter(is_run_id, folders(root / name)) if is_name(name) else ()
    return sorted(found, key=by_seed)


def folders(root: Path) -> list[str]:
    """The sorted names of the folders in a folder; none if it cannot be read."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if _is_folder(entry))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or no permission
        return False


def is_held(folder: Path) -> bool:
    """Whether a process holds the folder now."""
    try:
        with closing(system.Folder(folder)) as opened:
            return opened.is_locked()
    except OSError:
        return False
