"""Features of columns joined to x."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.reader import Cells
from nnrun.data.columns.column import Column
from nnrun.data.memory import refuse_if_too_big
from nnrun.nn.signature import Array

_TOGETHER = 4096


def joined(
    columns: Sequence[Column], cells: Sequence[Cells], rows: int, path: Path
) -> npt.NDArray[np.float64]:
    """The features of columns, from the cells of each, joined to x: (rows, features)."""
    width = sum(column.width for column in columns)
    refuse_if_too_big(rows * width * 8, f"{path}, one-hot encoded,")
    x = np.empty((rows, width))
    start = 0
    single: list[Array] = []
    for column, read in zip(columns, cells, strict=True):
        if column.width == 1:
            single.append(column.encode(read))
            continue
        start = _put(x, start, single)
        x[:, start : start + column.width] = column.encode(read)
        start += column.width
    _put(x, start, single)
    return x


def _put(x: Array, start: int, single: list[Array]) -> int:
    """Put columns of one feature side by side, which stay in the cache; the place after them."""
    stop = start + len(single)
    for row in range(0, len(x) if single else 0, _TOGETHER):
        rows = slice(row, row + _TOGETHER)
        np.concatenate([feature[rows] for feature in single], axis=1, out=x[rows, start:stop])
    single.clear()
    return stop
