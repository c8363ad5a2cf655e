"""New rows for a trained network: read in batches, encoded as in training.

Only one batch of a file is in memory at a time.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from nnrun.data.columns.kinds import Lag
from nnrun.data.inference.sources import NpzRows, Rows, WeightColumn
from nnrun.data.inference.table_rows import CsvRows, LagRows
from nnrun.data.layout import Layout
from nnrun.data.readers.excel import table_in
from nnrun.data.readers.opening import (
    ARRAYS,
    Format,
    disk_errors,
    format_of,
    is_address,
    open_named,
    why_no_file,
)
from nnrun.errors import UsageError

STDIN = "-"
_NAME_OF_STDIN = Path("<stdin>")
_STARTS = {
    b"PK": Format(ARRAYS),
    b"PAR1": Format("parquet"),
    b"{": Format("json lines"),
    b"\x1f\x8b": Format("csv", "gzip"),
    b"\x28\xb5\x2f\xfd": Format("csv", "zstd"),
}
# Their directory is at their end.
_FROM_ANY_PLACE = (ARRAYS, "parquet", "excel")


@contextmanager
def open_rows(
    source: Path,
    layout: Layout,
    *,
    with_target: bool = False,
    carried: Sequence[str] = (),
    weight: WeightColumn | None = None,
    aside: BinaryIO | None = None,
) -> Iterator[Rows]:
    """The new rows of a table or npz file, or of stdin if the path is `-`.

    The format is what the first bytes show, or the name where they do not.

    Args:
        source: the path.
        layout: that of the training data.
        with_target: whether the target is needed and read, too.
        carried: columns, or arrays of an npz file, that batches come with.
        weight: the column of a table with the weights of rows, which is read if it is there.
        aside: takes wrong rows, as they were in text or arrays, else as CSV; the others are read.

    Raises: DataError for columns or arrays that are missing or have another shape; NnrunError if
    the disk fails.
    """
    path = _NAME_OF_STDIN if str(source) == STDIN else source
    if is_address(path):
        raise UsageError(f"{why_no_file(path)}")
    with ExitStack() as stack:
        # Only here: OSErrors of the caller's code are about other files.
        with disk_errors(path):
            file = _stdin() if str(source) == STDIN else stack.enter_context(open_named(path))
            options = {"with_target": with_target, "carried": carried, "aside": aside}
            rows = _rows(path, file, stack, layout, weight, **options)
        yield rows


def _stdin() -> io.BufferedReader:
    buffer: Any = sys.stdin.buffer
    return buffer if isinstance(buffer, io.BufferedReader) else io.BufferedReader(buffer)


def _rows(
    path: Path,
    file: io.BufferedReader,
    stack: ExitStack,
    layout: Layout,
    weight: WeightColumn | None,
    **options: Any,
) -> Rows:
    named, shown = format_of(path), _shown(file)
    found = shown if named is None or named.name in ("csv", ARRAYS) else named
    source: Any = file
    if found.name in _FROM_ANY_PLACE and not file.seekable():  # a pipe
        source = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack does
        shutil.copyfileobj(file, source)
        source.seek(0)
    if found.name == ARRAYS and _is_excel(source):
        found = Format("excel")
    if layout.from_images and found.name != ARRAYS:
        why = "images cannot come from stdin" if path == _NAME_OF_STDIN else "is no image"
        raise UsageError(
            f"{path}: {why}; this run was trained on a folder of images: name images, folders of "
            "them, or an npz file with an array x"
        )
    if found.name == ARRAYS:
        return stack.enter_context(NpzRows(path, source, layout, **options))
    written = layout.columns.separator, layout.columns.decimal, layout.columns.encoding
    make = partial(table_in, path, source, found, *written)
    lagged = any(column.kind == Lag.kind for column in layout.columns)
    return (LagRows if lagged else CsvRows)(path, make, layout, weight=weight, **options)


def _shown(file: io.BufferedReader) -> Format:
    """The format that the first bytes show; else that of CSV files."""
    first = file.peek(4)
    found = next((kind for start, kind in _STARTS.items() if first.startswith(start)), None)
    return found or Format("csv")


def _is_excel(file: Any) -> bool:
    """Whether an archive is an Excel file."""
    try:
        with zipfile.ZipFile(file) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except (zipfile.BadZipFile, ValueError):
        return False
    finally:
        file.seek(0)
