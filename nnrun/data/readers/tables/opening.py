"""Opening a table by the name of its file."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from nnrun.data.cells.table import Table
from nnrun.data.readers.formats import Format, format_of, why_no_file
from nnrun.data.readers.opening import file_sha256, open_data
from nnrun.data.readers.tables.arrow import ParquetTable
from nnrun.data.readers.tables.excel import ExcelTable
from nnrun.data.readers.tables.json_lines import JsonLines
from nnrun.data.readers.text.csv_table import CsvTable
from nnrun.errors import DataError, UsageError

_NEEDS = {"parquet": "pyarrow", "excel": "openpyxl", "zstd": "pyarrow"}


@contextmanager
def open_table(path: Path, separator: str | None = None, decimal: str = ".") -> Iterator[Table]:
    """The table in a file; separator and decimal sign are those of a CSV file.

    Raises: DataError if it is none; UsageError if a package is missing; NnrunError if
    the disk fails.
    """
    found = format_of(path)
    if found is None or not found.is_table:
        raise DataError(f"{path}: {why_no_file(path) or 'holds arrays, and no table'}")
    with open_data(path) as file:
        yield table_in(path, file, found, separator, decimal)


def table_in(
    path: Path,
    file: BinaryIO,
    found: Format,
    separator: str | None = None,
    decimal: str = ".",
    **options: Any,
) -> Table:
    """The table of a format in an open file; raises as `open_table` does.

    Options are those of `CsvTable` for its rows and header.
    """
    for kind in (found.name, found.compression):
        package = _NEEDS.get(kind)
        if package is not None and find_spec(package) is None:
            raise UsageError(f"{path}: {package} reads it: pip install 'nnrun[tables]'")
    if found.name == "parquet":
        return ParquetTable(path, file)
    if found.name == "excel":
        return ExcelTable(path, file)
    digest = None
    if found.compression:
        digest = partial(file_sha256, path)
        file = io.BufferedReader(_Unpacked(path, file, found.compression), 1 << 20)
    if not found.is_delimited:
        return JsonLines(path, file, digest)
    separator = separator or ("tab" if found.name == "tsv" else None)
    return CsvTable(path, file, separator, decimal, digest, **options)


class _Unpacked(io.RawIOBase):
    """The content of a compressed file."""

    def __init__(self, path: Path, file: BinaryIO, compression: str) -> None:
        self._path = path
        if compression == "gzip":
            self._stream: Any = gzip.GzipFile(fileobj=file)
        else:
            import pyarrow as pa  # noqa: PLC0415 - slow to import, and an extra

            self._stream = pa.CompressedInputStream(file, "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        try:
            content = self._stream.read(len(room))
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk
                raise
            raise DataError(f"{self._path}: cannot be unpacked: {error}") from error
        room[: len(content)] = content
        return len(content)
