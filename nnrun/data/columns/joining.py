"""Features of columns joined to x."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.numbers import NumberCells
from nnrun.data.cells.reader import Cells
from nnrun.data.columns.column import Column
from nnrun.data.columns.number import Number
from nnrun.data.memory import refuse_if_too_big
from nnrun.nn.signature import Array
from nnrun.systems import system

_TOGETHER = 4096
# So many blocks of rows are joined before memory is given back.
_SELDOM = 16


def joined(
    columns: Sequence[Column],
    cells: Sequence[Cells],
    rows: int,
    path: Path,
    *,
    using_up: bool = False,
) -> npt.NDArray[np.float64]:
    """The features of columns, from the cells of each, joined to x: (rows, features).

    Cells of numbers may be used up, so that they and x are never in memory both.
    """
    width = sum(column.width for column in columns)
    refuse_if_too_big(rows * width * 8, f"{path}, one-hot encoded,")
    x = np.empty((rows, width))
    start = 0
    single: list[Array | NumberCells] = []
    for column, read in zip(columns, cells, strict=True):
        if using_up and column.kind == Number.kind and isinstance(read, NumberCells):
            single.append(read)
            continue
        if column.width == 1:
            single.append(column.encode(read))
            continue
        start = _put(x, start, single)
        x[:, start : start + column.width] = column.encode(read)
        start += column.width
    _put(x, start, single)
    return x


def _put(x: Array, start: int, single: list[Array | NumberCells]) -> int:
    """Put columns of one feature side by side, which stay in the cache; the place after them.

    The last rows come first, as an array gives memory back at its end.
    """
    stop = start + len(single)
    for row in reversed(range(0, len(x) if single else 0, _TOGETHER)):
        rows = slice(row, row + _TOGETHER)
        parts = [f.taken_from(row) if isinstance(f, NumberCells) else f[rows] for f in single]
        np.concatenate(parts, axis=1, out=x[rows, start:stop])
        if row % (_TOGETHER * _SELDOM) == 0 and len(x) > _TOGETHER * _SELDOM:
            system.return_memory()
    single.clear()
    return stop
