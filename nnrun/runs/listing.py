"""What lies in a results folder, whoever put it there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nnrun.config.names import is_name
from nnrun.runs.record import SCHEMA_VERSION, RunRecord
from nnrun.runs.store import CHECKPOINT, REPORT


@dataclass(frozen=True)
class Listed:
    """One run folder.

    Args:
        name: of the experiment.
        run_id: of the run.
        record: its report; None where there is none that can be read.
        trouble: why not.
        unfinished: there is none yet, but a checkpoint to go on from.
    """

    name: str
    run_id: str
    record: RunRecord | None
    trouble: str | None = None
    unfinished: bool = False


def list_runs(root: Path) -> Iterator[Listed]:
    """All runs by name and id; folders that are no runs are passed over."""
    for name in _folders(root):
        for run_id in _folders(root / name):
            folder = root / name / run_id
            if is_name(name) and ((folder / REPORT).exists() or (folder / CHECKPOINT).exists()):
                yield _listed(folder)


def _listed(folder: Path) -> Listed:
    name, run_id = folder.parent.name, folder.name
    try:
        content = json.loads((folder / REPORT).read_text(), parse_constant=_refuse)
        if content["schema_version"] != SCHEMA_VERSION:
            trouble = f"written by another version of nnrun ({content['schema_version']})"
            return Listed(name, run_id, None, trouble)
        return Listed(name, run_id, RunRecord.from_dict(content))
    except FileNotFoundError:
        return Listed(name, run_id, None, "it goes on from its checkpoint", unfinished=True)
    except OSError as error:
        return Listed(name, run_id, None, f"{REPORT} cannot be read: {error.strerror or error}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Listed(name, run_id, None, f"{REPORT} is damaged")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _folders(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
