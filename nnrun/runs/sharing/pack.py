"""A run as a zip file: what its folder holds, and its data if wanted.

The bytes depend on the run alone, on every machine: files are stored uncompressed, since compressed
bytes depend on the version of zlib, in a fixed order and without times.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from pathlib import Path
from typing import IO

from nnrun.data.readers.opening import disk_errors, open_data
from nnrun.errors import UsageError
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.names import REPORT
from nnrun.runs.storage.data_place import INSIDE, path_of
from nnrun.runs.storage.durable.files import written_whole
from nnrun.runs.storage.integrity import refuse_changed
from nnrun.runs.storage.reading import read_run, refuse_damaged
from nnrun.runs.stored_config import require_data

_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX, _MODE = 3, stat.S_IFREG | 0o644


def pack(folder: Path, file: Path, *, with_data: bool = False) -> RunRecord:
    """Write a complete run as a zip file, whole or not at all; the same run gives the same bytes.

    `with_data` is whether the data file, if there is one, is in it, too.

    Raises: UsageError if the run is not complete, or damaged, or its data are a folder, or not
    there, or no longer what they were; OSError if the file cannot be written.
    """
    record = _complete(folder)
    data = _data_of(folder, record) if with_data else None
    with written_whole(file) as sink, zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        top = f"{record.name}/{record.run_id}"
        for name in (*sorted(record.files), REPORT):
            with (folder / name).open("rb") as source:
                _add(archive, f"{top}/{name}", source)
        if data is not None:
            with open_data(data) as source, disk_errors(data):
                found = _add(archive, f"{top}/{INSIDE}/{data.name}", source)
            if found != record.dataset["sha256"]:
                raise UsageError(f"{data}: is not the file that the run was trained on any more")
    return record


def _complete(folder: Path) -> RunRecord:
    run = read_run(folder)
    refuse_damaged(run, folder)
    if run is None or run.record is None or not run.complete:
        status = (
            "there is no run" if run is None else run.problem or getattr(run.record, "status", "")
        )
        raise UsageError(f"{folder}: only complete runs are packed; this: {status}")
    refuse_changed(folder, run.record)
    return run.record


def _data_of(folder: Path, record: RunRecord) -> Path | None:
    """The data file; None where the data set is built in, so that it is everywhere."""
    require_data(record)
    path = path_of(record.config)
    if path is not None and Path(path).is_dir():
        raise UsageError(f"{folder}: its data are a folder, which is shared beside the packed run")
    return None if path is None else Path(path)


def _add(archive: zipfile.ZipFile, name: str, source: IO[bytes]) -> str:
    """Add a file, and return its SHA-256."""
    member = zipfile.ZipInfo(name, _TIME)
    member.create_system, member.external_attr = _UNIX, _MODE << 16
    member.file_size = os.fstat(source.fileno()).st_size  # decides on the form of the header
    digest = hashlib.sha256()
    with archive.open(member, "w", force_zip64=member.file_size >= 1 << 31) as sink:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            sink.write(chunk)
    return digest.hexdigest()
