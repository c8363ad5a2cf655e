"""Features of columns joined to x."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.reader import Cells
from nnrun.data.columns.column import Column
from nnrun.data.memory import refuse_if_too_big


def joined(
    columns: Sequence[Column], cells: Sequence[Cells], rows: int, path: Path
) -> npt.NDArray[np.float64]:
    """The features of columns, from the cells of each, joined to x: (rows, features)."""
    width = sum(column.width for column in columns)
    refuse_if_too_big(rows * width * 8, f"{path}, one-hot encoded,")
    x = np.empty((rows, width))
    start = 0
    for column, read in zip(columns, cells, strict=True):
        x[:, start : start + column.width] = column.encode(read)
        start += column.width
    return x
