"""New rows for a trained network: read in batches, encoded as in training.

Only one batch of a file is in memory at a time.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from nnrun.data.cells.problems import UnseenCategories
from nnrun.data.columns.lag import Lag
from nnrun.data.inference.columns import RowBatch
from nnrun.data.inference.csv_rows import CsvRows
from nnrun.data.inference.lag_rows import LagRows
from nnrun.data.inference.npz_rows import NpzRows
from nnrun.data.inference.put_aside import BadRows
from nnrun.data.layout import Layout
from nnrun.data.readers.opening import disk_errors

STDIN = "-"
_ZIP = b"PK"


class Rows(Protocol):
    """New rows of one source.

    `kind` is its format; `ignored` names its columns that are neither features nor the target, nor
    carried through. `bad` has the rows that were put aside, and `unseen` by column the categories
    that training has not seen, in the batches so far. `added` names columns that batches
    carry before those asked for; `unpredicted` is the number of rows that are in no batch.
    """

    kind: Literal["csv", "npz"]
    ignored: tuple[str, ...]
    unseen: dict[str, UnseenCategories]
    added: tuple[str, ...]
    unpredicted: int

    @property
    def bad(self) -> BadRows: ...

    def batches(self, rows: int) -> Iterator[RowBatch]:
        """Batches of this many rows; the last may be smaller.

        Raises: DataError for wrong rows, after all have been read; if wrong rows are put aside,
        only if all are wrong.
        """


@contextmanager
def open_rows(
    source: Path,
    layout: Layout,
    *,
    with_target: bool = False,
    carried: Sequence[str] = (),
    aside: BinaryIO | None = None,
) -> Iterator[Rows]:
    """The new rows of a CSV or npz file, or of stdin if the path is `-`.

    The format is detected from the first bytes.

    Args:
        source: the path.
        layout: that of the training data.
        with_target: whether the target is needed and read, too.
        carried: columns, or arrays of an npz file, that batches come with.
        aside: takes wrong rows as they were, in the format of the source; the others are read.

    Raises: DataError for columns or arrays that are missing or have another shape; NnrunError if
    the disk fails.
    """
    path = Path("<stdin>") if str(source) == STDIN else source
    with ExitStack() as stack:
        # Only here: OSErrors of the caller's code are about other files.
        with disk_errors(path):
            file = _stdin() if str(source) == STDIN else stack.enter_context(path.open("rb"))
            options = {"with_target": with_target, "carried": carried, "aside": aside}
            rows = _rows(path, file, stack, layout, **options)
        yield rows


def _stdin() -> io.BufferedReader:
    buffer: Any = sys.stdin.buffer
    return buffer if isinstance(buffer, io.BufferedReader) else io.BufferedReader(buffer)


def _rows(
    path: Path, file: io.BufferedReader, stack: ExitStack, layout: Layout, **options: Any
) -> Rows:
    if not file.peek(len(_ZIP)).startswith(_ZIP):
        lagged = any(column.kind == Lag.kind for column in layout.columns)
        return (LagRows if lagged else CsvRows)(path, file, layout, **options)
    archive: Any = file
    if not file.seekable():  # a pipe; but the directory of an archive is at its end
        archive = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack does
        shutil.copyfileobj(file, archive)
    return stack.enter_context(NpzRows(path, archive, layout, **options))
