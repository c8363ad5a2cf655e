"""All runs in a results folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nnrun.runs.identity import by_seed
from nnrun.runs.storage.folders import folders, names_in
from nnrun.runs.storage.reading import StoredRun, read_run


def list_runs(root: Path) -> Iterator[StoredRun]:
    """All runs, ordered by name and seed; other folders are skipped."""
    for name in names_in(root):
        for run_id in sorted(folders(root / name), key=by_seed):
            run = read_run(root / name / run_id, placed=True)
            if run is not None:
                yield run
