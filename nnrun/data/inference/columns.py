"""New rows, and checks of features that are already encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.layout import Columns
from nnrun.nn.signature import Array


@dataclass(frozen=True, eq=False)
class RowBatch:
    """Consecutive rows.

    x is raw, (rows, *shape); y is as in a data set: class numbers (rows,) or values
    (rows, outputs); None if the target is not read. `carried` has the columns to carry through.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any] | None = None
    carried: tuple[Array, ...] = ()

    def __len__(self) -> int:
        return len(self.x)


def without_missing(x: Array, columns: Columns) -> Array:
    """Rows with 0 in place of NaN in features that preprocessing fills in; x is not changed."""
    places = list(columns.imputed)
    if not places:
        return x
    known = x.copy()
    known[:, places] = np.where(np.isnan(x[:, places]), 0, x[:, places])
    return known


def odd_code(x: Array, columns: Columns) -> tuple[int, str] | None:
    """The first row that is not encoded as in training, and a message about it."""
    if columns.plain:
        return None
    found = (column.odd(part) for column, part in columns.parts(x))
    return min((odd for odd in found if odd is not None), default=None, key=lambda odd: odd[0])


def completed(x: Array, columns: Columns, place: Callable[[int], str] = "row {}".format) -> Array:
    """Rows in which what is missing is encoded as in training; x is not changed.

    `place` names the row at an index of x in errors.

    Raises: DataError if there is such a row, but the column had no missing values in training.
    """
    if columns.plain:
        return x
    parts = [(part, column.completed(part, place)) for column, part in columns.parts(x)]
    if all(after is before for before, after in parts):
        return x
    return np.hstack([after for _, after in parts])
