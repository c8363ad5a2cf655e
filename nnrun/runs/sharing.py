"""A run as one file that others can verify, look at and predict with."""

from __future__ import annotations

from pathlib import Path

from nnrun.errors import UsageError

SUFFIX = ".zip"


def is_packed(run: str) -> bool:
    """Whether a word for a run is the file of a packed one."""
    path = Path(run)
    return path.suffix.lower() == SUFFIX and path.is_file()


def refuse_packed(run: str) -> None:
    """Say what takes a packed run, to commands that read results folders alone.

    Raises: UsageError if it is one.
    """
    if is_packed(run):
        raise UsageError(
            f"'{run}' is a packed run, which show, verify, predict, export and explain take as it "
            "is; ls, compare and report take the folder that several are unzipped into, by "
            "--results"
        )
