"""Runs as single files."""

from __future__ import annotations

import os
from pathlib import Path

from nnrun.api.arguments import explained
from nnrun.api.given import Path_, folder_of
from nnrun.api.values.run import Run
from nnrun.runs.sharing.pack import pack as pack_run


@explained
def pack(
    run: Run | Path_, file: Path_, *, results: Path_ = "results", with_data: bool = False
) -> Path:
    """Write a complete run as a zip file, which `load`, `verify` and others take in its place.

    The same run gives the same bytes; nothing in them names a folder or a user.

    Args:
        run: the run; or its folder or name, as `load` takes it.
        file: to write, a .zip.
        results: the results folder, for looking up names.
        with_data: whether the data file is in it, too.

    Returns:
        The file.

    Raises:
        UsageError: there is no such run, or it is not complete, or its data are no file.
        OSError: the file cannot be written.
    """
    path = Path(os.fspath(file))
    pack_run(folder_of(run, results), path, with_data=with_data)
    return path
