"""The config of a search: a file, or the draft for a data file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnrun.config.content import Origin
from nnrun.config.files import SUFFIXES
from nnrun.errors import UsageError


def origin_of(path: Path, target: str | None) -> tuple[Origin, Sequence[str]]:
    """The config to search, and what was assumed of a data file, a line for each.

    Raises:
        UsageError: there is no such file, or a config has a target already.
    """
    if not path.exists():
        raise UsageError(f"{path}: there is no such file; a search is of a config or a data file")
    if path.suffix.lower() in SUFFIXES:
        if target is not None:
            raise UsageError(f"--target {target}: it is for data files; {path} has its own")
        return path, ()
    from nnrun.config.scaffold.searched import searched_draft  # noqa: PLC0415  # needs data readers

    return searched_draft(path, target)
