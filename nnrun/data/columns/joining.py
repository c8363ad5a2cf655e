"""Features of columns joined to x."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.cells.numbers import NumberCells
from nnrun.data.cells.part import Cells
from nnrun.data.columns.column import Column
from nnrun.data.columns.number import Number
from nnrun.data.memory import refuse_if_too_big
from nnrun.data.rows.kept import kept
from nnrun.nn.signature import Array

# The most rows and numbers that are joined at once.
_ROWS, _NUMBERS = 1 << 12, 1 << 20


def joined(
    columns: Sequence[Column],
    cells: Sequence[Cells],
    rows: int,
    path: Path,
    *,
    using_up: bool = False,
) -> npt.NDArray[np.float64]:
    """The features of columns, from the cells of each, joined to x: (rows, features).

    Cells of numbers may be used up, so that they and x are never in memory both. A large x is
    read-only.
    """
    width = sum(column.width for column in columns)
    refuse_if_too_big(rows * width * 8, f"{path}, one-hot encoded,")
    if not width:
        return np.empty((rows, 0))
    features = [_features(*pair, using_up=using_up) for pair in zip(columns, cells, strict=True)]
    step = max(1, min(_ROWS, _NUMBERS // width))
    starts = range(0, rows, step)
    blocks = (
        np.concatenate([of(slice(start, min(rows, start + step))) for of in features], axis=1)
        for start in starts
    )
    return kept((rows, width), np.float64, blocks)


def _features(column: Column, cells: Any, *, using_up: bool) -> Callable[[slice], Array]:
    """The features of rows, which are asked for one after the other."""
    if using_up and column.kind == Number.kind and isinstance(cells, NumberCells):
        return lambda rows: cells.taken(rows.stop - rows.start)
    return column.encoder(cells)
