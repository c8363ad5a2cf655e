"""A run as one file that others can verify, look at and predict with."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".zip"


def is_packed(run: str) -> bool:
    """Whether a word for a run is the file of a packed one."""
    path = Path(run)
    return path.suffix.lower() == SUFFIX and path.is_file()
