"""Opening files that users name; errors of the disk differ from missing or wrong files.

Errors say what is there instead of a file. Files of results (`runs/storage/durable.py`) and
of the cache of machine code, which must belong to the user, have checks of their own: all three
have four lines in common, which open a path and look at its kind.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nnrun.errors import DataError, NnrunError
from nnrun.systems import system

if TYPE_CHECKING:
    from zipfile import ZipFile  # slow to import


_KINDS = {
    stat.S_ISREG: "a file",
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


_FIFO = "is a FIFO, not a file"
_OTHER = "; name a file"
_F = TypeVar("_F", BufferedReader, BufferedWriter)


@contextmanager
def open_data(path: Path) -> Iterator[BufferedReader]:
    """Open a file for reading bytes.

    Raises: DataError if there is no such file; NnrunError if the disk or a permission fails.
    """
    with disk_errors(path):
        if (fault := fault_of(path)) is not None:
            raise DataError(f"{path}: {fault}")
        with open_named(path) as file:
            yield file


def open_named(path: Path) -> BufferedReader:
    """Open a file, or a pipe or device, for reading bytes once.

    A FIFO, which may have no writer, is refused; but not one that this process holds open already,
    such as /dev/stdin and the `<(…)` of a shell.

    Raises: DataError if it is such a FIFO; OSError if it cannot be opened.
    """
    file = open(path, "rb", opener=system.open_at_once)  # noqa: SIM115  # the caller closes it
    return _not_waiting(file, path, "; save its content in a file")


def open_sink(path: Path) -> BufferedWriter:
    """Open a pipe or device for writing; raises as `open_named` does."""
    refuse_fifo(path)
    file = open(path, "wb", opener=system.open_at_once)  # noqa: SIM115  # as above
    return _not_waiting(file, path, _OTHER)


def refuse_fifo(path: Path, option: str = "") -> None:
    """Raise a DataError if a file to write is a FIFO that may have no reader."""
    with suppress(OSError, ValueError):
        state = path.stat()
        if stat.S_ISFIFO(state.st_mode) and not system.is_open_already(state):
            raise DataError(f"{option} {path}: {_FIFO}{_OTHER}".lstrip())


def _not_waiting(file: _F, path: Path, advice: str) -> _F:
    state = os.fstat(file.fileno())
    if stat.S_ISFIFO(state.st_mode) and not system.is_open_already(state, file.fileno()):
        file.close()
        raise DataError(f"{path}: {_FIFO}{advice}")
    return file


def fault_of(path: Path, *, folder: bool = False) -> str | None:
    """Why the path is not a file, or not a folder; None if it is one.

    Raises: OSError if the disk or a permission fails.
    """
    wanted = "folder" if folder else "file"
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return "is a link to nothing" if path.is_symlink() else "does not exist"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads to itself"
        if error.errno == errno.ENAMETOOLONG:
            return "does not exist: the name is too long"
        raise
    if (stat.S_ISDIR if folder else stat.S_ISREG)(mode):
        return None
    found = (what for is_kind, what in _KINDS.items() if is_kind(mode))
    return f"is {next(found, 'something else')}, not a {wanted}"


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn OSErrors into errors with the file's name; raises as `open_data` does."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{path}: is not a file") from error
    except OSError as error:
        raise NnrunError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def damage_errors(path: Path, what: str, kinds: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn errors of these kinds into a DataError that says what a file is; raises those of disks.

    A library's OSErrors have no number, or that of an invalid place to seek to.
    """
    try:
        yield
    except Exception as error:
        of_disk = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
        if of_disk or isinstance(error, NnrunError) or not isinstance(error, (OSError, *kinds)):
            raise
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: is damaged or no {what} file: {reason}") from error


def refuse_bytes_before(path: Path, archive: ZipFile) -> None:
    """Raise a DataError if anything is before a zip archive: others may read the file as that."""
    first = min((one.header_offset for one in archive.infolist()), default=archive.start_dir)
    if first > 0:
        raise DataError(f"{path}: has {first:,} bytes before its zip archive; save it anew")


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with open_data(path) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


# The formats of data files, by the ends of their names.

GIVEN = "<data>"
"""The path of data that are given in Python, in place of a file."""
ARRAYS = "npz"
DELIMITED = ("csv", "tsv")
_NAMES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".npz": ARRAYS,
}
_TEXTS = (*DELIMITED, "json lines")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
KNOWN = ".csv, .tsv, .jsonl, .parquet, .xlsx or .npz"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True)
class Format:
    """The format of a file; `compression` is empty where there is none."""

    name: str
    compression: str = ""

    @property
    def is_table(self) -> bool:
        """Whether it has columns with names."""
        return self.name != ARRAYS

    @property
    def is_delimited(self) -> bool:
        """Whether its cells are text between separators."""
        return self.name in DELIMITED


def format_of(path: str | PathLike[str]) -> Format | None:
    """The format that the name of a file says; None if it is no data file's."""
    name = fspath(path).lower()
    end = next((end for end in COMPRESSIONS if name.endswith(end)), "")
    plain = name.removesuffix(end)
    found = next((kind for suffix, kind in _NAMES.items() if plain.endswith(suffix)), None)
    if found is None or (end and found not in _TEXTS):
        return None
    return Format(found, COMPRESSIONS.get(end, ""))


def names_table(dataset: Mapping[str, Any]) -> bool:
    """Whether the values of a `dataset` block name a table."""
    path = dataset.get("path")
    if dataset.get("name") is not None or not isinstance(path, str):
        return False
    if path == GIVEN:
        return dataset.get("columns") is not None
    found = format_of(path)
    return found is not None and found.is_table


def holds_arrays(path: object) -> bool:
    """Whether a path is that of arrays."""
    found = format_of(path) if isinstance(path, str) else None
    return path == GIVEN or (found is not None and not found.is_table)


def stem(path: Path) -> str:
    """The name of a data file without the ends that say its format."""
    found = format_of(path)
    return Path(path.stem).stem if found is not None and found.compression else path.stem


def is_data_file(path: str | PathLike[str]) -> bool:
    """Whether a file has the name of a data file."""
    return format_of(path) is not None


def is_address(path: str | PathLike[str]) -> bool:
    """Whether it is an address in a network rather than a path."""
    return _ADDRESS.match(fspath(path)) is not None


def about_address(path: str | PathLike[str], wanted: str = "file") -> str:
    """What helps where a file or folder is wanted, and this is an address."""
    whole = re.sub(":/+", "://", fspath(path), count=1)  # paths leave one of two strokes out
    return f"'{whole}' is an address, and nothing is fetched: download it, and name the {wanted}"


def why_no_file(path: str | PathLike[str]) -> str | None:
    """What is wrong with the name of a data file, and what helps; None if nothing is."""
    text = fspath(path)
    if is_address(text):
        return about_address(text)
    if format_of(text) is None:
        return f"'{text}' is no {KNOWN} file"
    return None
