"""A run as one zip file: packed, and unpacked again.

The bytes depend on the run alone, on every machine: files are stored uncompressed, since compressed
bytes depend on the version of zlib, in a fixed order and without times.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from nnrun.config.load import read_config
from nnrun.config.names import is_name
from nnrun.data.readers.opening import disk_errors, file_sha256, open_data, refuse_bytes_before
from nnrun.errors import NnrunError, UsageError
from nnrun.runs.record import RunRecord, is_run_id
from nnrun.runs.storage.data_place import INSIDE, PACKED, path_of
from nnrun.runs.storage.durable import read_regular, temporary_folder, written_whole
from nnrun.runs.storage.reading import (
    CHECKPOINT,
    CONFIG,
    HISTORY,
    MARKDOWN,
    OPTIONAL,
    REPORT,
    changed_file,
    read_run,
    refuse_changed,
    refuse_damaged,
)
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


# Reading a packed run: its files are written to a temporary folder, and to no other.
#
# Nothing in the file is trusted. Only the names that `pack` writes are taken, only uncompressed
# regular files, and only as many bytes as the file itself has. Then all files are compared with the
# digests in the report, before any of them is used.

_FILES = {CONFIG, HISTORY, REPORT, MARKDOWN, *OPTIONAL} - {CHECKPOINT}
# A name of a data file: no separator, control character or drive, and not hidden.
_DATA = re.compile(r"[^./\\:\x00-\x1f\x7f][^/\\:\x00-\x1f\x7f]{0,254}")
_DAMAGE = (
    *(zipfile.BadZipFile, EOFError, ValueError, RuntimeError, NotImplementedError, struct.error),
    RecursionError,
)
_ENCRYPTED = 1
_MOST_BYTES = 1 << 24
# Paths that begin at a root, a drive or a home.
_WHOLE = re.compile(r"[/\\~]|[A-Za-z]:")
# From a run's folder to data beside the results folder, or in a folder beside it.
_NEAR = re.compile(r"(\.\./){0,3}([^/]+/)?[^/]+")


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """The folder of a packed run, which exists within the context.

    Raises: UsageError if the file is not one that `pack` writes; NnrunError if the disk fails.
    """
    with temporary_folder() as folder:
        yield _extracted(file, folder)


def unpacked_for_good(file: Path) -> Path:
    """The folder of a packed run, which exists until the process ends; raises as `unpacked`."""
    return _lasting().enter_context(unpacked(file))


@cache
def _lasting() -> ExitStack:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack


def _extracted(file: Path, into: Path) -> Path:
    with open_data(file) as source:
        try:
            with zipfile.ZipFile(source) as archive:
                refuse_bytes_before(file, archive)
                members = _checked(file, archive, source.seek(0, 2))
                top = into.joinpath(*members[0].filename.split("/")[:2])
                (top / INSIDE).mkdir(parents=True)
                (top.parent / PACKED).touch()
                for member in members:
                    with (
                        archive.open(member) as content,
                        (into / member.filename).open("xb") as sink,
                    ):
                        shutil.copyfileobj(content, sink)
            if (fault := _changed(top)) is not None:
                raise _refused(file, fault)
            if _names_folders(top):
                raise _refused(file, "its config names a file in a folder of another machine")
        except _DAMAGE as error:
            raise _refused(file, f"it is damaged ({error})") from error
        except OSError as error:  # most often, that folder is full
            why = error.strerror or error
            raise NnrunError(f"{file}: cannot be unpacked into {into.parent}: {why}") from error
    return top


def _changed(top: Path) -> str | None:
    """What is wrong with the files of an unpacked run, by the digests in its report; else None."""
    run = read_run(top)
    if run is None:
        return f"it has no {REPORT}"
    if run.record is None or run.problem is not None:
        return f"it is damaged: {run.problem}"
    return _differing(top, run.record)


def _differing(top: Path, record: RunRecord) -> str | None:
    """What is lacking, too many or changed; else None."""
    files = {path.name for path in top.iterdir() if path.is_file()} - {REPORT}
    if lacking := sorted(record.files.keys() - files):
        return f"it has no {lacking[0]}"
    if unknown := sorted(files - record.files.keys()):
        return f"its {REPORT} does not name {unknown[0]}"
    if (fault := changed_file(top, record)) is not None:
        return f"it is damaged: {fault}"
    for data in (top / INSIDE).iterdir():
        if file_sha256(data) != record.dataset["sha256"]:
            return f"{INSIDE}/{data.name} is not the file that the run was trained on"
    return None


def _names_folders(folder: Path) -> bool:
    """Whether config or report have a whole or long path of the data, which `pack` never writes.

    Raises: ConfigError if config.yaml cannot be read; OSError or ValueError for the report.
    """
    report = json.loads(read_regular(folder / REPORT, _MOST_BYTES))
    configs = [report.get("config") if isinstance(report, dict) else None]
    configs.append(read_config(folder / CONFIG).source.data)
    paths = [path_of(config) for config in configs if isinstance(config, Mapping)]
    return any(path is not None and _is_long(path) for path in paths)


def _is_long(path: str) -> bool:
    return bool(_WHOLE.match(path)) or not _NEAR.fullmatch(path.replace("\\", "/"))


def _checked(file: Path, archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    """The members, all of one run and none larger than it can be."""
    members = archive.infolist()
    if not 1 <= len(members) <= len(_FILES) + 1:
        raise _refused(file, f"it holds {len(members)} files")
    for member in members:
        if (fault := _fault(member)) is not None:
            raise _refused(file, f"{member.filename[:80]!r} {fault}")
    names = [member.filename for member in members]
    tops = {tuple(name.split("/")[:2]) for name in names}
    data = [name for name in names if _part(name)[:1] == [INSIDE]]
    if len({*names}) < len(names) or len(tops) > 1 or len(data) > 1:
        raise _refused(file, "it holds a file twice, or several runs")
    if sum(member.file_size for member in members) > size:
        raise _refused(file, "its files are larger than itself")
    return members


def _part(name: str) -> list[str]:
    """The path of a file within the folder of its run."""
    return name.split("/")[2:]


def _fault(member: zipfile.ZipInfo) -> str | None:
    name, run_id, *rest = [*member.filename.split("/"), ""]
    file = "/".join(rest[:-1])
    inside, _, data = file.partition("/")
    known = file in _FILES or (inside == INSIDE and _DATA.fullmatch(data) is not None)
    if not (is_name(name) and is_run_id(run_id) and known):
        return "is no file of a run"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is no regular file"
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        return "is compressed"
    return "is encrypted" if member.flag_bits & _ENCRYPTED else None


def _refused(file: Path, why: str) -> UsageError:
    return UsageError(f"{file}: is not a run that `nnrun pack` wrote: {why}")
