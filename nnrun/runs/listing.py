"""What lies in a results folder, whoever put it there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nnrun.config.names import is_name
from nnrun.runs.reading import StoredRun, read_run


def list_runs(root: Path) -> Iterator[StoredRun]:
    """All runs by name and id; folders that are no runs are passed over."""
    for name in filter(is_name, folders(root)):
        for run_id in folders(root / name):
            run = read_run(root / name / run_id)
            if run is not None:
                yield run


def folders(root: Path) -> list[str]:
    """The names of the folders in a folder, in order; none where it cannot be read."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
